"""One run an output: a lock that ends with the process that holds it, however that ends.

It is the kernel's lock on a hidden file beside the output. What a killed run leaves there keeps
nobody out, and no clock and no process number that is used again can mislead.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from badrepair.companions import companion
from badrepair.errors import LockedError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# What file systems answer that know no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_LONGEST_NUMBER = 20
_OPENING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_held: set[Path] = set()


@contextmanager
def locked(outputs: Iterable[Path]) -> Iterator[None]:
    """Keep other runs from writing the same outputs while the block runs.

    Raises:
        LockedError: Another run writes one of them.
        OutputError: There is something else in the lock's place, or none can be made.
    """
    with ExitStack() as stack:
        # One file may be named in two ways.
        for output in {lock_path(one).resolve(): one for one in outputs}.values():
            stack.enter_context(_locked(output))
        yield


def lock_path(output: Path) -> Path:
    """Return where the lock of an output stands while a run writes it."""
    return companion(output, ".{}.lock")


def take(descriptor: int) -> bool:
    """Lock an open file and return True; False if another process holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def remove_held() -> None:
    """Remove the locks of this process, which is about to end without a word."""
    for path in tuple(_held):
        with suppress(OSError):
            path.unlink()


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    path = lock_path(output)
    try:
        descriptor = _taken(path, output)
    except OSError as error:
        problem = f"cannot make the lock of this output: {error.strerror}"
        raise OutputError("OutputNotWritable", path, problem) from error
    _held.add(path)
    try:
        yield
    finally:
        # While it is held: who has opened it by then finds it gone, and makes another.
        with suppress(OSError):
            path.unlink()
        _held.discard(path)
        os.close(descriptor)


def _taken(path: Path, output: Path) -> int:
    """Return a descriptor that holds the lock in the file that is there now."""
    while True:
        descriptor = os.open(path, _OPENING, 0o666)
        try:
            if not take(descriptor):
                raise _busy(output, _written_in(descriptor))
            if _is_still(path, descriptor):
                _sign(path, descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _sign(path: Path, descriptor: int) -> None:
    """Write the number of this process into a lock, but into no other file."""
    written = _written_in(descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or (written and not written.isdigit()):
        problem = "expected the lock of a run or no file, found something else"
        raise OutputError("LockInvalid", path, problem, "move it away")
    os.ftruncate(descriptor, 0)
    # A full disk makes the lock no worse: it only stays without a number.
    with suppress(OSError):
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _written_in(descriptor: int) -> str:
    with suppress(OSError):
        return os.pread(descriptor, _LONGEST_NUMBER, 0).decode("ascii", "replace").strip()
    return ""


def _busy(output: Path, number: str) -> LockedError:
    who = f"process {number}" if number.isdigit() else "another run"
    problem = f"{who} is writing this output"
    return LockedError("OutputLocked", output, problem, "wait for its end, or name another file")
