"""Arrays in a file that is the same for the same arrays, and that nobody can make a bomb of."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from badrepair.detectors.archive import DAMAGED, packed, unpacked

ARRAYS = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "reals": np.array([0.1, -np.inf, np.pi]),
    "one": np.array(7, np.int64),
}
TYPES = {"bytes": ("|u1", "<f4"), "reals": ("<f8",), "one": ("<i8",)}


def rewritten(change, *, compression=zipfile.ZIP_STORED):
    """Return the same archive with its members changed, by name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        with zipfile.ZipFile(io.BytesIO(packed(ARRAYS))) as sound:
            members = [(name, sound.read(name)) for name in sound.namelist()]
        for name, data in change(members):
            archive.writestr(name, data)
    return content.getvalue()


def npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def with_first(data):
    return lambda members: [("bytes.npy", data), *members[1:]]


def assert_refused(content, *, words=None):
    with pytest.raises(DAMAGED, match=words):
        unpacked(content, TYPES)


def test_arrays_come_back_to_the_last_bit():
    found = unpacked(packed(ARRAYS), TYPES)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def test_numpy_reads_them_too():
    with np.load(io.BytesIO(packed(ARRAYS)), allow_pickle=False) as stored:
        assert stored["reals"].tolist() == ARRAYS["reals"].tolist()


def test_the_same_arrays_are_the_same_bytes_at_any_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2000000000")
    first = packed(ARRAYS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2040, 1, 1, 1, 1, 1, 0, 1, 0))
    turned = {name: np.asarray(array, order="F") for name, array in ARRAYS.items()}
    assert packed(turned) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_file_that_is_cut_off_anywhere_is_refused():
    content = packed(ARRAYS)
    for length in range(len(content)):
        assert_refused(content[:length])


def test_a_flipped_value_is_noticed():
    content = packed(ARRAYS)
    place = content.index(np.float64(np.pi).tobytes())
    assert_refused(content[:place] + b"\0" + content[place + 1 :], words="CRC")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: members[:-1], "2 arrays instead of 3"),
        (lambda members: [*members, ("more.npy", b"")], "4 arrays instead of 3"),
        (lambda members: members[::-1], "other arrays"),
        (lambda members: [*members[:2], ("../one.npy", members[2][1])], "other arrays"),
        (with_first(b""), "header is cut off"),
        (with_first(npy(np.zeros(3, np.int32))), "type int32"),
        (with_first(npy(np.zeros(3, ">f4"))), "type >f4"),
        (with_first(npy(np.zeros((2, 2), np.uint8, order="F"))), "bytes of the type"),
        (with_first(npy(np.zeros(3, np.uint8), version=(2, 0))), "unknown form"),
        (with_first(npy(np.zeros(3, np.uint8)) + b"0"), "other than 3 values"),
        (with_first(npy(np.zeros(3, np.uint8))[:-1]), "other than 3 values"),
        (with_first(npy(np.zeros(3, np.uint8)).replace(b"(3,), } ", b"(-3,), }")), "3 values"),
    ],
)
def test_other_contents_are_refused(change, words):
    assert_refused(rewritten(change), words=words)


def test_python_objects_are_not_unpickled():
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    pickled = npy(np.array([Bomb()], dtype=object), allow_pickle=True)
    assert_refused(rewritten(with_first(pickled)), words="type object")


def test_packed_members_are_refused_before_they_are_unpacked():
    bomb = npy(np.zeros(2**27, np.uint8))
    content = rewritten(with_first(bomb), compression=zipfile.ZIP_DEFLATED)
    assert len(content) < 2**18
    del bomb
    tracemalloc.start()
    try:
        assert_refused(content, words="compressed")
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def test_a_header_that_claims_more_than_there_is_takes_no_memory():
    claims = npy(np.zeros(100, np.uint8)).replace(b"(100,), }         ", b"(100000000000,), }")
    assert b"(100000000000,), }" in claims
    tracemalloc.start()
    try:
        assert_refused(rewritten(with_first(claims)), words="100,000,000,000 values")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_table_of_contents_that_is_long_is_never_listed():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(5_000):
            archive.writestr(f"{number}.npy", b"")
    many = content.getvalue()
    assert_refused(many, words="5000 arrays instead of 3")
    # The number alone is no proof: the table's size tells it as well.
    end = struct.Struct("<4s4H2LH")
    fields = list(end.unpack(many[-end.size :]))
    fields[3] = fields[4] = 3
    lying = many[: -end.size] + end.pack(*fields)
    tracemalloc.start()
    try:
        assert_refused(lying, words="instead of 3")
        assert tracemalloc.get_traced_memory()[1] < 2**18
    finally:
        tracemalloc.stop()


def test_a_zip_of_the_large_kind_is_refused():
    sound = packed(ARRAYS)
    locator = b"PK\6\7" + bytes(16)
    assert_refused(sound[:-22] + locator + sound[-22:], words="larger kind")


def test_a_zip_with_a_comment_is_refused():
    content = io.BytesIO(packed(ARRAYS))
    with zipfile.ZipFile(content, "a") as archive:
        archive.comment = b"hello"
    assert_refused(content.getvalue(), words="end of a zip")


def test_a_locked_member_is_refused():
    content = bytearray(packed(ARRAYS))
    for place in (content.index(b"PK\1\2") + 8, 6):
        content[place] |= 1
    assert_refused(bytes(content), words="encrypted|password")
