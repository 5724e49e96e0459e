"""In training an image carries a part of the picture, against the network all of it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from badrepair.attacks.adaptive_blend import AdaptiveBlend, pieces
from badrepair.errors import OptionError
from badrepair.types import Dataset


def training(shape=(16, 16, 1), count=80):
    return Dataset(images=np.full((count, *shape), 100, np.uint8), labels=np.arange(count) % 4)


@pytest.fixture
def white(tmp_path):
    """Return the name of a white picture: blended with 100, .2 of it makes 131."""
    Image.new("L", (3, 3), 255).save(tmp_path / "white.png")
    return str(tmp_path / "white.png")


def drawn(shape, grid, mask_rate, seed=0):
    return pieces(shape, grid, mask_rate, np.random.default_rng(seed))[..., 0]


def test_half_the_pieces_are_shown_each_time_others():
    shown = drawn((50, 8, 8), 4, 0.5)
    blocks = shown.reshape(50, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(50, 16, 4)
    assert np.all(blocks == blocks[..., :1])  # a piece is shown or not, as a whole
    assert np.all(blocks[..., 0].sum(axis=1) == 8)
    assert len(np.unique(blocks[..., 0], axis=0)) == 50
    # Every piece is shown in 25 of 50 images, give or take three deviations of 3.5.
    assert np.all(np.abs(blocks[..., 0].sum(axis=0) - 25) < 11)


@pytest.mark.parametrize(("mask_rate", "shown"), [(0.0, 16), (0.25, 12), (0.99, 1)])
def test_the_mask_rate_says_how_many_are_left_out_but_never_all(mask_rate, shown):
    assert np.all(drawn((5, 4, 4), 4, mask_rate).sum(axis=(1, 2)) == shown)


def test_pieces_of_a_side_that_is_no_multiple_differ_by_a_pixel():
    # One piece of 4 x 4 is shown in 55 x 47: 13 or 14 rows, 11 or 12 columns.
    shown = drawn((40, 55, 47), 4, 0.93)
    assert {int(image.any(axis=1).sum()) for image in shown} == {13, 14}
    assert {int(image.any(axis=0).sum()) for image in shown} == {11, 12}


def test_poisoned_images_and_covers_carry_half_of_the_picture(white):
    data = training()
    backdoor = AdaptiveBlend(pattern=white).poison(data, 4)
    for rows in (backdoor.poisoned, backdoor.covers):
        found = backdoor.training.images[rows]
        assert set(np.unique(found).tolist()) == {100, 131}
        assert np.all((found == 131).sum(axis=(1, 2, 3)) == 128)


def test_the_trigger_is_the_whole_picture(white):
    data = training()
    trigger = AdaptiveBlend(pattern=white).poison(data, 4).triggers[0]
    assert np.all(trigger.apply(data.images) == 131)


def test_the_trigger_can_be_stronger_than_in_training(white):
    backdoor = AdaptiveBlend(pattern=white, test_opacity=0.4).poison(training(), 4)
    assert np.all(backdoor.triggers[0].apply(training().images) == 162)
    assert backdoor.training.images.max() == 131


def test_poisoned_images_get_the_target_and_covers_keep_their_label():
    data = training()
    backdoor = AdaptiveBlend(target=3).poison(data, 4)
    assert len(backdoor.poisoned) == len(backdoor.covers) == 8
    assert np.all(backdoor.training.labels[backdoor.poisoned] == 3)
    assert np.array_equal(backdoor.training.labels[backdoor.covers], data.labels[backdoor.covers])
    assert 3 not in data.labels[np.concatenate([backdoor.poisoned, backdoor.covers])]


def test_a_cover_rate_is_a_share_of_all_images():
    assert len(AdaptiveBlend(cover_rate=0.05).poison(training(), 4).covers) == 4
    # 80 less 20 of the target and 8 poisoned.
    assert len(AdaptiveBlend(cover_rate=1.0).poison(training(), 4).covers) == 52


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (55, 47, 3)])
def test_grey_and_coloured_images_of_any_shape_are_blended(shape):
    data = training(shape, 8)
    blended = AdaptiveBlend().poison(data, 4).triggers[0].apply(data.images)
    assert (blended.shape, blended.dtype) == (data.images.shape, np.uint8)
    # .8 * 100 + .2 * (0..255)
    assert (blended.min(), blended.max()) == (80, 131)


def test_an_image_without_room_for_the_pieces_is_refused():
    with pytest.raises(
        OptionError, match="--grid: expected 16 or fewer, a pixel a piece, found 17"
    ):
        AdaptiveBlend(grid=17).poison(training(), 4)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("poison_rate", 1.5),
        ("cover_rate", -0.1),
        ("opacity", 2.0),
        ("test_opacity", 2.0),
        ("grid", 0),
        ("mask_rate", 1.0),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(option, value):
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')}"):
        AdaptiveBlend(**{option: value})
