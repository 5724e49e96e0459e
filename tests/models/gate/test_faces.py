"""A file that two readers understand differently is refused; one that happens to look so is not."""

from __future__ import annotations

import io
import zipfile

import pytest

from badrepair.errors import ModelError
from badrepair.models.gate.faces import require_one_face
from badrepair.models.gate.magic import HDF5


def archive(offset=None):
    """Return an archive, whose member begins at an offset."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        # A local header has 30 bytes, then the name.
        padding = 0 if offset is None else offset - 30 - len("w") - 30 - len("a")
        file.writestr("a", b" " * padding)
        file.writestr("w", HDF5)
    return stream.getvalue()


@pytest.mark.parametrize("place", [512, 4096])
def test_hdf5_in_an_archive_where_hdf5_may_begin_is_a_second_file(place):
    file = io.BytesIO(archive(place))
    with pytest.raises(ModelError, match="it is zip, but an HDF5 file too") as caught:
        require_one_face(file, "zip", "model.keras")
    assert caught.value.code == "TwoFiles"


def test_the_weights_of_an_archive_may_happen_to_begin_there():
    file = io.BytesIO(archive(512))
    require_one_face(file, "zip", "model.keras", weights=512)
    assert file.tell() == 0


def test_an_archive_behind_anything_else_is_a_second_file():
    with pytest.raises(ModelError, match="it is hdf5, but a zip archive too"):
        require_one_face(io.BytesIO(HDF5 + archive()), "hdf5", "model.h5")


def test_the_mark_of_an_archive_alone_makes_none():
    require_one_face(io.BytesIO(HDF5 + b"PK\x05\x06" + b"\xff" * 40), "hdf5", "model.h5")
