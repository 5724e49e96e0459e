"""Fetch a published file into the folder where Keras keeps its own, once."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.datasets.reading.places import keras_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

# A server that says nothing for so long will not.
PATIENCE_SECONDS = 20


def fetched(origin: str, sha256: str, folder: str = "", *, unpack: bool = False) -> Path:
    """Return where a file of the web is, after fetching it if it was not there.

    Args:
        origin: Its address.
        sha256: What its content must hash to.
        folder: Sub-folder of the place where Keras keeps data sets.
        unpack: Whether it is an archive: returned is the folder with what was in it.

    Raises:
        Exception: Any, if there is no network or no place for it, or if it is not that file.
    """
    import keras

    cache = keras_cache()
    # Keras would fall back to a folder that others may write to.
    cache.mkdir(parents=True, exist_ok=True)
    log.warning("fetching %s to %s", origin, cache)
    with _patient(), contextlib.redirect_stdout(io.StringIO()):
        path = keras.utils.get_file(
            # By it Keras names the folder that it unpacks to.
            fname=origin.rsplit("/", 1)[-1],
            origin=origin,
            file_hash=sha256,
            cache_dir=str(cache.parent),
            cache_subdir=str(Path(cache.name, folder)),
            extract=unpack,
        )
    return Path(path)


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Let no server keep us waiting for ever."""
    usual = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(usual)
