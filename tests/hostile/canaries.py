"""Notice what a process does that no reader of a model file has to do.

Python tells a hook of what it opens, imports, starts and connects to. What C code does by itself
it does not tell; HDF5's opening of files is told by a wrapper.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Python itself, what is installed, our own code, and what the kernel tells.
READABLE = tuple(
    f"{os.path.realpath(place)}/"
    for place in (
        *(sys.prefix, sys.base_prefix, "/proc", "/sys"),
        *(ROOT / name for name in ("badrepair", "badrepair.egg-info", "tests")),
    )
)
DEVICES = {"/dev/null", "/dev/urandom"}
CHANGES = {
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "shutil.rmtree", "shutil.move", "tempfile.mkstemp"),
    "tempfile.mkdtemp",
}
CONNECTIONS = {
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"),
    "urllib.Request",
}
PROGRAMS = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"}
CODE = {"pickle.find_class", "ctypes.dlopen"}


class Canaries:
    """What sings when a process leaves its way.

    Args:
        stop: Called with each event; without it the events are kept.
        block: Whether the process may go on with what it was about to do.
    """

    def __init__(self, stop=None, *, block=False):
        self.events, self.allowed, self.programs, self.outputs = [], frozenset(), (), None
        self._stop, self._block, self._armed, self._roots = stop, block, False, frozenset()

    def arm(self, installed=()):
        """Listen from now on; what is loaded, and the packages named, may still be imported."""
        loaded = {name.partition(".")[0] for name in sys.modules}
        self._roots = loaded | set(sys.stdlib_module_names) | set(installed)
        self._armed = True
        sys.addaudithook(self._hear)

    def heard(self):
        """Return all events since the last reset; importlib imports without telling."""
        strange = {name for name in sys.modules if name.partition(".")[0] not in self._roots}
        return [*self.events, *(f"imported {name}" for name in sorted(strange))]

    def reset(self, *paths, outputs=None):
        """Forget what was heard.

        Args:
            paths: Files that may now be read.
            outputs: A folder in which anything may now be done.
        """
        self.events, self.allowed = [], frozenset(map(os.path.realpath, paths))
        self.outputs = None if outputs is None else f"{os.path.realpath(outputs)}/"

    def _hear(self, event, args):
        if not self._armed:
            return
        song = self._song(event, args)
        if not song:
            return
        self.events.append(song)
        if self._stop is not None:
            self._stop(song)
        if self._block and event in CONNECTIONS | PROGRAMS:
            raise PermissionError(song)

    def _song(self, event, args):
        """Return what is wrong with an event, in words; empty if nothing is."""
        if event in ("open", "h5py.File"):
            return self._opened(*args)
        if event == "import":
            root = str(args[0]).partition(".")[0]
            return "" if root in self._roots else f"imported {args[0]}"
        if event == "marshal.loads":
            return "" if _is_importing() else "ran marshalled code"
        if event == "subprocess.Popen":
            return "" if self._is_ours(*args[:2]) else f"started {args[0]}"
        for words, events in (
            *(("changed", CHANGES), ("connected", CONNECTIONS), ("started", PROGRAMS)),
            ("looked up", CODE),
        ):
            if event in events and not (event in CHANGES and self._is_output(args[0])):
                return f"{words} {event} {args[0] if args else ''}"
        return ""

    def _opened(self, path, mode, flags):
        if isinstance(path, int) or path is None:
            return ""
        place = os.path.realpath(os.fsdecode(path))
        # A folder is opened for files without a name in it.
        if place in DEVICES or os.path.isdir(place) or self._is_output(path):
            return ""
        if (flags or 0) & WRITING:
            return f"wrote {place}"
        return "" if place in self.allowed or place.startswith(READABLE) else f"read {place}"

    def _is_output(self, path):
        if isinstance(path, int):  # what is open was looked at when it was opened
            return True
        place = os.path.realpath(os.fsdecode(path))
        return self.outputs is not None and f"{place}/".startswith(self.outputs)

    def _is_ours(self, program, arguments):
        """Return whether this is the confined reader."""
        begun = [sys.executable, "-I", "-c", *self.programs]
        return program == sys.executable and list(arguments[: len(begun)]) == begun


def _is_importing():
    """Return whether compiled code is read for an import."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")
