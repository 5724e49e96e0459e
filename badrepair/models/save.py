"""Write a network to a file, in the format that the file's name asks for."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from badrepair.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import keras

WEIGHTS_ENDING = ".weights.h5"
WHOLE_ENDINGS = (".keras", ".h5", ".hdf5")
LEGACY_NOTE = "You are saving your model as an HDF5 file"


def write_model(model: keras.Model, path: Path) -> None:
    """Write a network.

    Args:
        model: A built network.
        path: `*.weights.h5` for the weights alone, `.keras`, or `.h5` and `.hdf5` for the whole
            network in the format of Keras 2. An existing file is replaced.

    Raises:
        OptionError: OutputFormat, if the name ends otherwise.
    """
    require_format(path)
    if path.name.endswith(WEIGHTS_ENDING):
        model.save_weights(path)
        return
    with _without_legacy_note():
        model.save(path)


def require_format(path: Path) -> None:
    """Refuse a file name from which no format follows, before any work is done.

    Raises:
        OptionError: OutputFormat, if the name ends in none of the known endings.
    """
    endings = (*WHOLE_ENDINGS, WEIGHTS_ENDING)
    if not path.name.endswith(endings):
        problem = (
            f"expected a name that ends in {', '.join(endings)}, found {path.suffix or 'no ending'}"
        )
        raise OptionError("OutputFormat", path, problem)


@contextmanager
def _without_legacy_note() -> Iterator[None]:
    """Drop Keras's advice against the format that the caller asked for."""

    def keep(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(LEGACY_NOTE)

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
