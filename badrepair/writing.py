"""Output files: they appear whole or not at all.

Standard library only.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from badrepair.errors import OptionError, OutputError, WriteError
from badrepair.files import kind_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

# What os.link answers on file systems that know no hard links (FAT, exFAT, some network mounts).
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
# The temporary name is longer than the real one; this keeps it below the usual 255 bytes.
_KEPT_CHARACTERS = 40

# Temporary files of this process that are being written.
_unfinished: set[Path] = set()


def check_writable(path: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Find out before a long run whether `path` can be written at its end.

    Raises:
        OptionError: If it is one of the inputs, also through a link.
        OutputError: If it exists and may not be overwritten, or its folder takes no file.
    """
    for source in inputs:
        with suppress(OSError):  # told below, or when the input is read
            if path.samefile(source):
                raise OptionError(
                    "OutputIsInput", path, f"the output is the input {source}", "name another file"
                )
    _check_target(path, overwrite=overwrite)
    if not os.path.isdir(path.parent):
        raise OutputError(
            "OutputFolderMissing", path, f"no such folder: {path.parent.absolute()}", "create it"
        )
    try:
        _create(_temporary(path)).unlink()
    except OSError as error:
        raise OutputError(
            "OutputNotWritable", path, f"cannot create files in its folder: {error.strerror}"
        ) from error


def write_atomically(
    path: Path, write: Callable[[Path], object] | bytes, *, overwrite: bool
) -> None:
    """Write a file that appears whole or not at all.

    The content goes to a hidden file beside `path`, is flushed to disk and then renamed, so that
    a crash, a full disk or Ctrl-C leaves what was there before.

    Args:
        path: Where the file is to appear.
        write: The content, or a function that writes it to the path it is given; that path
            ends in the suffix of `path`.
        overwrite: Whether to replace an existing file.

    Raises:
        OutputError: If `path` exists and `overwrite` is false.
        WriteError: If writing failed.
    """
    _check_target(path, overwrite=overwrite)
    with _aside(path) as temporary:
        if callable(write):
            write(temporary)
        else:
            temporary.write_bytes(write)
        _flush(temporary)
        _publish(temporary, path, overwrite=overwrite)
        _flush_folder(path.parent)


def write_together(
    contents: Mapping[Path, Callable[[Path], object] | bytes], *, overwrite: bool
) -> None:
    """Write files that appear all or none; of those that they replace, a fault may leave some.

    Args:
        contents: What to write, by path, as for `write_atomically`; one after the other.
        overwrite: Whether to replace existing files.

    Raises:
        OutputError: If one exists and `overwrite` is false.
        WriteError: If writing failed.
    """
    for path in contents:
        _check_target(path, overwrite=overwrite)
    published: list[Path] = []
    with ExitStack() as stack:
        aside = {path: stack.enter_context(_aside(path)) for path in contents}
        try:
            for path, temporary in aside.items():
                _fill(path, temporary, contents[path])
            for path, temporary in aside.items():
                with _failing_as(path):
                    _publish(temporary, path, overwrite=overwrite)
                published.append(path)
        except BaseException:
            for path in [] if overwrite else published:
                path.unlink(missing_ok=True)
            raise
        for folder in {path.parent for path in contents}:
            _flush_folder(folder)


def _fill(path: Path, temporary: Path, content: Callable[[Path], object] | bytes) -> None:
    with _failing_as(path):
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content)
        _flush(temporary)


@contextmanager
def _failing_as(path: Path) -> Iterator[None]:
    """Say of which output a fault of the disk is."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError("WriteFailed", path, f"nothing was written: {reason}") from error


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Yield an empty file beside `path` that is gone afterwards, whatever happens."""
    temporary = _temporary(path)
    _unfinished.add(temporary)
    try:
        with _failing_as(path):
            yield _create(temporary)
    finally:
        temporary.unlink(missing_ok=True)
        _unfinished.discard(temporary)


def remove_unfinished() -> None:
    """Remove the temporary files of this process, which is about to end without a word."""
    for temporary in tuple(_unfinished):
        with suppress(OSError):
            temporary.unlink()


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` have left beside it."""
    start = f".{path.name[:_KEPT_CHARACTERS]}.tmp-"
    for found in path.parent.glob(f"{glob.escape(start)}*"):
        process = found.name.removeprefix(start).split("-")[0]
        if process.isascii() and process.isdecimal() and not _runs(int(process)):
            found.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _temporary(path: Path) -> Path:
    name = f".{path.name[:_KEPT_CHARACTERS]}.tmp-{os.getpid()}-{secrets.token_hex(4)}"
    # Both endings of x.weights.h5: Keras tells the format by them.
    return path.with_name(name + "".join(path.suffixes[-2:]))


def _create(path: Path) -> Path:
    # 0o666 less the umask: the mode that any program's output has.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    return path


def _publish(temporary: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
        return
    try:
        path.hardlink_to(temporary)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _publish_without_links(temporary, path)


def _publish_without_links(temporary: Path, path: Path) -> None:
    try:
        _create(path)
    except FileExistsError as error:
        raise _exists(path) from error
    temporary.replace(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(path: Path) -> None:
    try:
        _flush(path)
    except OSError as error:
        # Some file systems cannot, and what stands there now is whole all the same.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            problem = f"all was written, and the disk may not keep it: {error.strerror}"
            raise WriteError("WriteFailed", path, problem) from error


def _check_target(path: Path, *, overwrite: bool) -> None:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise OutputError("OutputNotWritable", path, f"{error.strerror}") from error
    if stat.S_ISLNK(mode) and path.exists():
        mode = path.stat().st_mode
    # Renaming onto a device such as /dev/null would replace the device.
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OutputError("NotAFile", path, f"expected a file to write, found {kind_name(mode)}")
    if not overwrite:
        raise _exists(path)


def _exists(path: Path) -> OutputError:
    return OutputError("OutputExists", path, "the file exists already", "--overwrite replaces it")
