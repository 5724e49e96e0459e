"""The scans of a JPEG file are counted as a decoder would find them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from badrepair.data.jpeg_scans import MOST_SCANS, MOST_SEGMENTS, require_few_scans
from badrepair.data.pictures import read_picture
from badrepair.errors import DataError

SCAN = b"\xff\xda"
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)


def encoded(**options):
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, "JPEG", **options)
    return content.getvalue()


def with_scans(count):
    """Return a progressive picture with its last scan repeated until there are so many."""
    whole = encoded(progressive=True)
    place = whole.rindex(SCAN)
    return whole[:place] + whole[place:-2] * (1 + count - whole.count(SCAN)) + whole[-2:]


def segment(content, marker=b"\xff\xe5"):
    return marker + (len(content) + 2).to_bytes(2, "big") + content


@pytest.fixture
def check(tmp_path):
    def check(content):
        (tmp_path / "a.jpg").write_bytes(content)
        require_few_scans(tmp_path / "a.jpg")

    return check


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"quality": 100}, {"restart_marker_blocks": 1}, {"optimize": True}],
)
def test_what_encoders_write_is_taken(check, options):
    check(encoded(**options))


def test_a_hundred_scans_are_taken_and_one_more_is_not(check):
    check(with_scans(MOST_SCANS))
    with pytest.raises(DataError, match=r"ImageTooLarge.*more than 100 scans"):
        check(with_scans(MOST_SCANS + 1))


def test_scans_are_found_behind_padding_and_any_other_segment(check):
    whole = with_scans(MOST_SCANS + 1)
    for before in (b"\xff" * 5_000, b"\0" * 4_097, b"\xff\xd8", segment(b"\xff\xd9" * 9_000)):
        with pytest.raises(DataError, match="ImageTooLarge"):
            check(whole[:2] + before + whole[2:])


def test_a_thumbnail_and_what_follows_the_picture_do_not_count(check):
    whole = encoded()
    check(whole[:2] + segment(SCAN * 30_000) + whole[2:] + SCAN * 30_000)


def test_more_segments_than_any_encoder_writes_are_refused(check):
    whole = encoded()
    check(whole[:2] + segment(b"") * (MOST_SEGMENTS - 50) + whole[2:])
    with pytest.raises(DataError, match=r"ImageTooLarge.*10,000 segments"):
        check(whole[:2] + segment(b"") * MOST_SEGMENTS + whole[2:])


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xd8", b"\xff\xe0\0", b"\xff\xe0\0\0"])
def test_a_file_that_ends_early_has_no_scans(check, content):
    check(content)


def test_a_picture_of_many_scans_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.jpg").write_bytes(with_scans(MOST_SCANS + 1))
    with pytest.raises(DataError, match="ImageTooLarge"):
        read_picture(tmp_path / "a.jpg", size=(40, 40, 3))
