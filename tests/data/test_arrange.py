"""The arrays of a file become what the model takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from badrepair.data.arrange import arrange, arrange_images
from badrepair.data.raw import RawData
from badrepair.errors import DataError, OptionError

WHERE = Path("clean.h5")
PIXELS = np.arange(4 * 5 * 6 * 3).reshape(4, 5, 6, 3)
LABELS = np.array([0, 1, 2, 1])


def fitted(images, labels=LABELS, true_labels=None, input_shape=(5, 6, 3), **options):
    raw = RawData(images=images, labels=labels, true_labels=true_labels)
    return arrange(raw, input_shape=input_shape, classes=3, where=WHERE, **options)


@pytest.mark.parametrize("dtype", ["u2", ">i2", "f2", "f4", "f8", "i8"])
def test_any_type_becomes_float32_with_the_same_values(dtype):
    pixels = fitted(PIXELS.astype(dtype)).images[:]
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, PIXELS)


def test_the_stored_range_is_kept():
    assert fitted(PIXELS / 359).images[:].max() == 1


def test_channels_first_are_turned():
    data = fitted(PIXELS.transpose(0, 3, 1, 2))
    assert data.images.shape == (4, 5, 6, 3)
    assert np.array_equal(data.images[1:3], PIXELS[1:3])
    assert np.array_equal(data.images[np.array([3, 0])], PIXELS[[3, 0]])
    assert data.images[:].flags.c_contiguous


def test_grey_images_get_their_channel():
    data = fitted(PIXELS[..., 0], input_shape=(5, 6, 1))
    assert np.array_equal(data.images[:], PIXELS[..., :1])


@pytest.mark.parametrize("turn", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_bgr_is_swapped_in_either_layout(turn):
    data = fitted(PIXELS[..., ::-1].transpose(turn), color="bgr")
    assert np.array_equal(data.images[:], PIXELS)


def test_bgr_of_grey_images_makes_no_sense():
    with pytest.raises(OptionError, match="bgr needs 3 channels"):
        fitted(PIXELS[..., 0], input_shape=(5, 6, 1), color="bgr")


def test_nothing_is_read_until_it_is_asked_for():
    asked = []

    class Watched:
        shape = (10**6, 5, 6, 3)

        def __len__(self):
            return self.shape[0]

        def __getitem__(self, key):
            asked.append(key)
            return np.zeros((len(range(len(self))[key]), 5, 6, 3), np.uint8)

    data = fitted(Watched(), np.zeros(10**6))
    assert data.images[7:9].shape == (2, 5, 6, 3)
    assert asked == [slice(None, 1), slice(7, 9)]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_the_first_bad_image_is_named_when_it_is_read(value):
    pixels = PIXELS.astype(float)
    pixels[2, 0, 0] = value
    data = fitted(pixels)
    assert data.images[:2].shape == (2, 5, 6, 3)
    for rows in (slice(1, 4), slice(None, None, -1), np.array([3, 2])):
        with pytest.raises(DataError, match=r"NotFinite.*image 2 has 3 pixels"):
            data.images[rows]
    with pytest.raises(DataError, match="image 2 has"):
        data.take(np.array([0, 2])).images[:]


@pytest.mark.parametrize("dtype", [complex, object, "S3", "U3"])
def test_pixels_that_are_no_numbers_are_refused(dtype):
    with pytest.raises(DataError, match="PixelType"):
        fitted(PIXELS.astype(dtype))


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="Empty"):
        fitted(PIXELS[:0], LABELS[:0])


def test_images_without_labels_are_refused():
    with pytest.raises(DataError, match=r"LabelsMissing.*--label-key"):
        fitted(PIXELS, None)


def test_labels_and_true_labels_are_both_normalised():
    data = fitted(PIXELS, np.zeros(4), np.eye(3)[LABELS])
    assert data.labels.tolist() == [0, 0, 0, 0]
    assert data.true_labels.tolist() == [0, 1, 2, 1]
    with pytest.raises(DataError, match="LabelRange"):
        fitted(PIXELS, np.zeros(4), LABELS + 1)


def test_the_name_is_kept():
    assert fitted(PIXELS, name="sunglasses").name == "sunglasses"


def test_a_limit_keeps_all_classes_in_proportion_and_the_order():
    images = np.arange(100.0).reshape(100, 1, 1)
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    data = fitted(images, labels, labels[::-1], input_shape=(1, 1, 1), limit=10)
    assert np.bincount(data.labels).tolist() == [5, 3, 2]
    rows = data.images[:].ravel().astype(int)
    assert rows.tolist() == sorted(rows)
    assert np.array_equal(data.labels, labels[rows])
    assert np.array_equal(data.true_labels, labels[::-1][rows])


def test_a_limit_beyond_the_end_keeps_all():
    assert len(fitted(PIXELS, limit=100)) == 4


def test_images_alone_may_keep_pixels_that_are_no_numbers():
    pixels = PIXELS.astype(float)
    pixels[2, 0, 0, 0] = np.nan
    options = {"input_shape": (5, 6, 3), "where": WHERE}
    kept = arrange_images(pixels.transpose(0, 3, 1, 2), **options, finite=False)
    assert np.array_equal(kept[:], pixels, equal_nan=True)
    with pytest.raises(DataError, match=r"NotFinite.*image 2 has 1"):
        arrange_images(pixels, **options)[:]


def test_images_that_are_not_finite_are_left_out_if_asked_for(caplog):
    pixels = PIXELS.astype(float)
    pixels[1, 0, 0, 0], pixels[2, 4, 5, 2] = np.nan, 1e300
    data = fitted(pixels, true_labels=LABELS[::-1], skip_bad=True)
    assert np.array_equal(data.images[:], PIXELS[[0, 3]])
    assert (data.labels.tolist(), data.true_labels.tolist()) == ([0, 1], [1, 0])
    assert "2 of 4 images are not finite and left out" in caplog.text
    assert len(fitted(PIXELS, skip_bad=True)) == 4


def test_a_limit_counts_what_is_left(caplog):
    pixels = PIXELS.astype(float)
    pixels[0] = np.inf
    assert len(fitted(pixels, skip_bad=True, limit=3)) == 3


def test_nothing_finite_is_nothing():
    with pytest.raises(DataError, match=r"Empty.*every image"):
        fitted(np.full(PIXELS.shape, np.nan), skip_bad=True)


def test_both_kinds_of_labels_are_counted_from_another_number():
    data = fitted(PIXELS, LABELS + 1, LABELS[::-1] + 1, label_offset=-1)
    assert data.labels.tolist() == LABELS.tolist()
    assert data.true_labels.tolist() == LABELS[::-1].tolist()
