"""The header of an .npy array: short, and read without trust."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings

import numpy as np
import pytest

from badrepair.array_headers import FAULTS, LONGEST_BYTES, read_header

FIELDS = "{'descr': '<u2', 'fortran_order': True, 'shape': (4, 5), }"


def with_header(text, version=1, length=None):
    form = "<H" if version == 1 else "<L"
    stated = struct.pack(form, len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + stated + text.encode("latin-1")


class Counted(io.BytesIO):
    """Counts what is read."""

    taken = 0

    def read(self, size=-1, /):
        content = super().read(size)
        self.taken += len(content)
        return content


@pytest.mark.parametrize("version", [1, 2])
def test_the_stream_stands_at_the_first_value_afterwards(version):
    stream = io.BytesIO(with_header(FIELDS + "\n", version) + b"values")
    assert read_header(stream) == ((4, 5), True, np.dtype("<u2"))
    assert stream.read() == b"values"


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_what_numpy_writes_is_read(version):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.zeros((3, 2), np.float32), version)
    stream.seek(0)
    assert read_header(stream) == ((3, 2), False, np.dtype(np.float32))


def test_headers_that_python_2_wrote_are_read_without_a_warning():
    stream = io.BytesIO(with_header(FIELDS.replace("(4, 5)", "(4L, 5L)") + "\n"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(stream)[0] == (4, 5)


def test_the_longest_header_is_read_and_one_byte_more_is_not_even_taken():
    longest = FIELDS.ljust(LONGEST_BYTES)
    assert read_header(io.BytesIO(with_header(longest)))[0] == (4, 5)
    stream = Counted(with_header(longest + " "))
    with pytest.raises(ValueError, match=r"^a header of 10,001 bytes, expected at most 10,000$"):
        read_header(stream)
    assert stream.taken == 10


def test_a_header_that_claims_gibibytes_takes_no_memory():
    stream = io.BytesIO(with_header(" " * 2**25, 2, length=2**32 - 1))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="a header of 4,294,967,295 bytes"):
            read_header(stream)
        assert tracemalloc.get_traced_memory()[1] < 2**16
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cut off"),
        (with_header(FIELDS)[:9], "cut off"),
        (with_header(FIELDS)[:-1], "cut off"),
        (b"\x94" + with_header(FIELDS)[1:], "does not begin as an array"),
        (with_header(FIELDS, 3), r"unknown version \(3, 0\)"),
        (with_header("1" + " " * 60_000), "60,001 bytes"),
        (with_header("(" * 9_000), None),
    ],
)
def test_what_is_no_header_is_refused_without_advice_to_trust_it(content, words):
    with pytest.raises(FAULTS, match=words) as caught:
        read_header(io.BytesIO(content))
    assert "allow_pickle" not in str(caught.value)
