"""Named arrays as a plain .npz: the same arrays give the same bytes, and nothing is unpacked.

What is read may come from anybody. Members are stored, not compressed, so that nothing can be
larger in memory than it is in the file; how many there are is known before they are listed.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy

from badrepair import archives, array_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.views import Array

MOST_BYTES = 2**30
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
# The last record of a zip without a comment; in front of it stands what only larger zips need.
_END = struct.Struct("<4s4H2LH")
_END_MAGIC, _LARGE_MAGIC, _LARGE_SIZE = b"PK\5\6", b"PK\6\7", 20
# Bytes that the table of contents takes for each member, names included.
_MOST_CONTENTS_A_MEMBER = 256
_VERSION = (1, 0)
# What zipfile and NumPy raise on damaged files.
DAMAGED = (*archives.FAULTS, *array_headers.FAULTS)


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Return an .npz file's content."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _EARLIEST)
            member.external_attr, member.create_system = _MODE, 3
            with archive.open(member, "w") as stream:
                npy.write_array(stream, np.asarray(array, order="C"), _VERSION, allow_pickle=False)
    return content.getvalue()


def unpacked(content: bytes, dtypes: Mapping[str, tuple[str, ...]]) -> dict[str, Array]:
    """Return the arrays in what `packed` returned.

    Args:
        content: Of the file.
        dtypes: The types that each array may have, such as "<f8", by name in order.

    Raises:
        DAMAGED: One of these errors, if it holds anything else.
    """
    _require_small_contents(content, len(dtypes))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if [member.filename for member in members] != [f"{name}.npy" for name in dtypes]:
            raise ValueError(f"other arrays than {', '.join(dtypes)}")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("compressed arrays")
        pairs = zip(members, dtypes.items(), strict=True)
        return {name: _array(archive.read(one), name, known) for one, (name, known) in pairs}


def _require_small_contents(content: bytes, members: int) -> None:
    """Check the last record: zipfile would list as many members as it claims to be there."""
    magic, _, _, _, count, size, _, comment = _END.unpack(content[-_END.size :])
    before = content[-_END.size - _LARGE_SIZE : -_END.size]
    if magic != _END_MAGIC or comment:
        raise zipfile.BadZipFile("the end of a zip is missing")
    if count != members or size > members * _MOST_CONTENTS_A_MEMBER:
        raise ValueError(f"{count} arrays instead of {members}")
    if before.startswith(_LARGE_MAGIC):
        raise ValueError("a zip of a larger kind")


def _array(content: bytes, name: str, dtypes: tuple[str, ...]) -> Array:
    stream = io.BytesIO(content)
    shape, fortran, dtype = array_headers.read_header(stream)
    if content[len(npy.MAGIC_PREFIX) : npy.MAGIC_LEN] != bytes(_VERSION):
        raise ValueError(f"{name} in an unknown form")
    values = content[stream.tell() :]
    if dtype.str not in dtypes or fortran:
        raise ValueError(f"{name} of the type {dtype}")
    if math.prod(shape) * dtype.itemsize != len(values) or min(shape, default=1) < 0:
        raise ValueError(f"{name} with other than {math.prod(shape):,} values")
    return np.frombuffer(values, dtype).reshape(shape)
