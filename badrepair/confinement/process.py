"""Start a confined process for a file, ask it, and turn its end into an error of the file."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from badrepair import errors
from badrepair.confinement import wire
from badrepair.files import require_file

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
# -I: no variable, no user's folder and not the current one decide what is imported.
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from badrepair.confinement.child import main;"
    " main(int(sys.argv[2]), *sys.argv[3:])"
)
# HDF5 loads no plug-in and locks no file; nothing starts threads.
ENVIRONMENT = {
    "HDF5_PLUGIN_PRELOAD": "::",
    "HDF5_USE_FILE_LOCKING": "FALSE",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
WAIT_SECONDS = 120.0
_PIECE_BYTES = 2**20
_DAMAGED = "nothing else was touched; do not use the file"


class Confined:
    """One file, open for reading, and the process that reads it.

    Args:
        path: The file.
        reader: The class that reads it, as `module:Name`; see `child.Reader`.
        fault: The kind of error that a crash of the reader is.

    Raises:
        InputMissingError: There is no such file, or it may not be read.
        DataError: It is a folder, a pipe or a device.
    """

    def __init__(self, path: Path, reader: str, fault: type[errors.BadrepairError]) -> None:
        self.path, self._fault = path, fault
        self.file = _open(path)
        words = (str(self.file), str(path), *reader.split(":"))
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
            [sys.executable, "-I", "-c", START, str(ROOT), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[self.file],
            env=ENVIRONMENT,
            start_new_session=True,
            bufsize=0,
        )
        self._finalizer = weakref.finalize(self, _end, self._process, self.file)

    def ask(self, **question: Any) -> tuple[Any, bytearray]:
        """Return the answer to a question: what JSON said (Any), and plain bytes.

        Raises:
            BadrepairError: What the reader found wrong, LoaderCrashed or LoaderTimeout.
        """
        try:
            wire.send(self._stream("stdin"), question)
            reply, content = wire.receive(self._stream("stdout"), WAIT_SECONDS)
        except (wire.WireError, BrokenPipeError) as error:
            raise self._crashed() from error
        except wire.WireTimeoutError as error:
            self.close()
            problem = f"it keeps its reader busy for more than {WAIT_SECONDS:.0f} seconds"
            raise self._fault("LoaderTimeout", self.path, problem, _DAMAGED) from error
        if isinstance(reply, dict) and "answer" in reply:
            return reply["answer"], content
        raise _told(reply) or self._crashed()

    def sha256(self) -> str:
        """Return the digest of the open file, in hexadecimal."""
        # By place: where the reader stands in the file is shared.
        digest, place = hashlib.sha256(), 0
        while piece := os.pread(self.file, _PIECE_BYTES, place):
            digest.update(piece)
            place += len(piece)
        return digest.hexdigest()

    def close(self) -> None:
        """End the process and close the file."""
        self._finalizer()

    def _stream(self, name: str) -> int:
        stream = getattr(self._process, name)
        if stream is None or stream.closed:
            raise BrokenPipeError
        number: int = stream.fileno()
        return number

    def _crashed(self) -> errors.BadrepairError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)  # on its way out
        killed = self._process.returncode == -signal.SIGKILL and self._finalizer.alive  # not by us
        self.close()
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            problem = "it keeps its reader busy without end"
            return self._fault("LoaderTimeout", self.path, problem, _DAMAGED)
        if killed:
            # Its own limits end it otherwise.
            problem = "the process that read it was killed, as systems do that run out of memory"
            hint = "end other programs, or take a larger machine"
            return errors.ResourceError("OutOfMemory", self.path, problem, hint)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
        problem = f"the process that read it ended {how}: the file is damaged, or made to crash it"
        return self._fault("LoaderCrashed", self.path, problem, _DAMAGED)


def _open(path: Path) -> int:
    """Open once, so that what was looked at is what is read."""
    require_file(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise errors.DataError("NotAFile", path, "expected a file, found something else")
    return descriptor


def _told(reply: Mapping[str, Any]) -> errors.BadrepairError | None:
    """Return the error that the reader tells of; None if it tells nothing that makes sense."""
    if not isinstance(reply, dict):
        return None
    kind, words = getattr(errors, str(reply.get("error")), None), reply.get("words")
    if kind is None or not isinstance(words, list) or [type(word) for word in words] != [str] * 4:
        return None
    error: errors.BadrepairError = kind(*words)
    return error


def _end(process: subprocess.Popen[bytes], descriptor: int) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.kill()  # it has nothing to lose
    process.wait()
    os.close(descriptor)
