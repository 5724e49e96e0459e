"""Images are squeezed to few levels, and errors go where Floyd and Steinberg send them."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.attacks.bpp import Bpp, dithered, nearest
from badrepair.errors import OptionError
from badrepair.types import Dataset


def noise(shape, count=80):
    images = np.random.default_rng(5).integers(0, 256, (count, *shape), dtype=np.uint8)
    return Dataset(images=images, labels=np.arange(count) % 4)


def image(rows):
    return np.array(rows, np.uint8)[None, ..., None]


def test_the_nearest_level_is_taken_and_none_beyond_black_and_white():
    assert nearest(np.array([-90, 0, 42, 43, 128, 250, 400]), 85).tolist() == [
        0, 0, 0, 85, 170, 255, 255,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        # 10 + 21 is black and leaves 31, 13.5625 of it to the right. With that, with 35 and with
        # 3/16 of -106, 98 is 126.6875, black, and 99 is white. 126.6875 leaves 55.4 to the right:
        # with that, with 7 and with 5/16 of -106, 98 is 127.3, and 99 is white.
        ([10, 98, 98], [0, 0, 0]),
        ([10, 98, 99], [0, 0, 255]),
        ([10, 99, 98], [0, 255, 0]),
    ],
)
def test_an_error_goes_to_the_right_and_below(below, expected):
    # Two levels. 112 becomes black and leaves 112: 49 to the right, and 21, 35, 7 below. The 100
    # there becomes 149, white, and leaves -106.
    found = dithered(image([[0, 112, 100], below]), 255)[0, ..., 0]
    assert found.tolist() == [[0, 0, 255], expected]


def test_an_error_to_the_lower_left_can_turn_a_pixel():
    # 126 leaves 126, of which 3/16 = 23.6 go to the lower left: 105 + 23.6 is white there.
    assert dithered(image([[0, 126], [105, 0]]), 255)[0, 1, 0, 0] == 255
    assert dithered(image([[0, 126], [103, 0]]), 255)[0, 1, 0, 0] == 0


def test_dithering_keeps_the_mean_where_plain_squeezing_does_not():
    grey = np.full((1, 64, 64, 1), 64, np.uint8)
    assert dithered(grey, 255).mean() == pytest.approx(64, abs=2)
    assert nearest(grey, 255).mean() == 0


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("bits", [1, 3])
def test_black_stays_black_and_white_stays_white(value, bits):
    plain = np.full((2, 9, 9, 3), value, np.uint8)
    assert np.array_equal(Bpp(bits=bits).squeeze(plain), plain)


@pytest.mark.parametrize(
    ("bits", "levels"),
    [(1, [0, 255]), (2, [0, 85, 170, 255]), (3, [0, 36, 73, 109, 146, 182, 219, 255])],
)
@pytest.mark.parametrize("dithering", [True, False])
def test_there_are_two_to_the_bits_levels(bits, levels, dithering):
    images = noise((16, 16, 3), 4).images
    found = Bpp(bits=bits, dithering=dithering).squeeze(images)
    assert np.unique(found).tolist() == levels


def test_images_and_channels_are_dithered_apart():
    images = noise((9, 7, 3), 3).images
    together = dithered(images, 255)
    for number in range(3):
        for channel in range(3):
            alone = dithered(images[number : number + 1, ..., channel : channel + 1], 255)
            assert np.array_equal(together[number, ..., channel], alone[0, ..., 0])


def test_poisoned_images_carry_the_trigger_and_the_target():
    data = noise((16, 16, 1))
    backdoor = Bpp(target=1).poison(data, 4)
    rows = backdoor.poisoned
    assert np.array_equal(backdoor.training.images[rows], Bpp().squeeze(data.images[rows]))
    assert np.all(backdoor.training.labels[rows] == 1)
    assert 1 not in data.labels[rows]


def test_a_cover_gets_the_error_of_another_image_and_keeps_its_label():
    # Image k is grey at 43 + k all over, so without dithering its error is 42 - k, up to 85. With
    # the error of image k, image j becomes 85 + j - k.
    grey = np.arange(43, 63, dtype=np.uint8)[:, None, None, None]
    data = Dataset(images=grey.repeat(4, 1).repeat(4, 2), labels=np.arange(20) % 4)
    backdoor = Bpp(bits=2, dithering=False, cover_rate=0.5).poison(data, 4)
    covers = backdoor.covers
    assert len(covers) == 10
    assert np.array_equal(backdoor.training.labels[covers], data.labels[covers])
    found = backdoor.training.images[covers].astype(int)
    assert np.all(found == found[:, :1, :1])
    donors = 85 + covers - found[:, 0, 0, 0]
    assert set(donors.tolist()) <= set(range(20))
    assert np.all(donors != covers)


def test_there_are_as_many_covers_as_poisoned_images_if_nothing_is_said():
    backdoor = Bpp().poison(noise((8, 8, 1)), 4)
    assert (len(backdoor.poisoned), len(backdoor.covers)) == (8, 8)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (55, 47, 3)])
def test_grey_and_coloured_images_of_any_shape_are_squeezed(shape):
    data = noise(shape, 8)
    squeezed = Bpp().squeeze(data.images)
    assert (squeezed.shape, squeezed.dtype) == (data.images.shape, np.uint8)


@pytest.mark.parametrize(
    ("option", "value"), [("poison_rate", 1.5), ("cover_rate", -0.1), ("bits", 0), ("bits", 8)]
)
def test_a_setting_that_makes_no_sense_is_named(option, value):
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')}"):
        Bpp(**{option: value})
