"""A zip archive is looked through by its table of contents alone."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from badrepair.archives import FAULTS, MOST_CONTENTS_BYTES, faults, opened


def zipped(*names, compression=zipfile.ZIP_STORED, comment=b""):
    """Return an archive of members that hold their own names."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        archive.comment = comment
        for name in names:
            archive.writestr(name, name)
    return content.getvalue()


def found(content):
    with opened(io.BytesIO(content)) as archive:
        return list(faults(archive))


@pytest.mark.parametrize("comment", [b"", b"hello", b"x" * 65_535])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_plain_archive_has_no_fault(comment, compression):
    content = zipped("one", "two", compression=compression, comment=comment)
    assert found(content) == []
    with opened(io.BytesIO(content)) as archive:
        assert archive.read("two") == b"two"


def test_a_name_that_stands_twice_is_told_for_both():
    content = zipped("one", "two").replace(b"two", b"one")
    assert found(content) == [("one", "stands in the archive twice")] * 2


def test_an_encrypted_member_is_told():
    content = bytearray(zipped("one", "two"))
    content[content.index(b"PK\1\2") + 8] |= 1
    assert found(bytes(content)) == [("one", "is encrypted")]


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_compression_is_told(compression):
    content = zipped("one", compression=compression)
    assert found(content) == [("one", f"is packed in an unknown way ({compression})")]


@pytest.mark.parametrize("length", [0, 1, 10, 30, 60, 100])
def test_a_cut_off_archive_is_one_of_the_known_faults(length):
    with pytest.raises(FAULTS):
        found(zipped("one", "two")[:length])


def test_a_long_table_of_contents_is_never_listed():
    content = bytearray(zipped("one"))
    struct.pack_into("<L", content, len(content) - 10, MOST_CONTENTS_BYTES + 1)
    with pytest.raises(ValueError, match="table of contents takes 1,048,577 bytes"):
        opened(io.BytesIO(content))


def test_so_is_that_of_the_larger_kind():
    content = zipped("one")
    at = content.rindex(b"PK\5\6")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    end = content[at : at + 8] + b"\xff" * 12 + content[at + 20 :]
    with pytest.raises(ValueError, match="table of contents takes 1,099,511,627,776 bytes"):
        opened(io.BytesIO(content[:at] + record + locator + end))
