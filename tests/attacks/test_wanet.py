"""Images are bent along one smooth field, and read between their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.attacks.wanet import Wanet, jitter, warped
from badrepair.errors import OptionError
from badrepair.types import Dataset


def ramp(height, width):
    """Return one image whose pixel in row r and column c is 10 r + c."""
    return (10.0 * np.arange(height)[:, None] + np.arange(width))[None, ..., None]


def shifts(down, right, count=1):
    """Return the same shift of every pixel of 3 x 4."""
    field = np.zeros((2, count, 3, 4), np.float32)
    field[0], field[1] = down, right
    return field


def training(shape=(16, 16, 1), count=80):
    images = np.random.default_rng(5).integers(0, 256, (count, *shape), dtype=np.uint8)
    return Dataset(images=images, labels=np.arange(count) % 4)


def test_without_a_shift_nothing_moves():
    assert np.array_equal(warped(ramp(3, 4), shifts(0, 0)), ramp(3, 4))


def test_a_pixel_is_read_between_its_four_neighbours():
    # A quarter row down adds 2.5, half a column .5, but for the edges, where there is no more.
    bent = warped(ramp(3, 4), shifts(0.25, 0.5))[0, ..., 0]
    assert bent.tolist() == [
        [3, 4, 5, 5.5],
        [13, 14, 15, 15.5],
        [20.5, 21.5, 22.5, 23],
    ]


def test_what_leads_out_of_the_image_ends_at_its_edge():
    assert np.all(warped(ramp(3, 4), shifts(-9, -9)) == 0)
    assert np.all(warped(ramp(3, 4), shifts(9, 9)) == 23)


def test_each_image_can_be_bent_in_its_own_way():
    field = np.concatenate([shifts(0, 0), shifts(1, 0)], axis=1)
    both = warped(np.repeat(ramp(3, 4), 2, axis=0), field)
    assert both[0, :, 0, 0].tolist() == [0, 10, 20]
    assert both[1, :, 0, 0].tolist() == [10, 20, 20]


def test_all_channels_are_bent_alike():
    image = ramp(3, 4)
    bent = warped(np.concatenate([image, 2 * image, image], axis=-1), shifts(0.25, 0.5))
    assert np.array_equal(bent[..., 1], 2 * bent[..., 0])
    assert np.array_equal(bent[..., 2], bent[..., 0])


@pytest.mark.parametrize(("height", "width"), [(28, 28), (55, 47)])
def test_the_field_is_as_strong_as_is_asked_at_its_control_points(height, width):
    # With as many pixels as control points that lie apart by whole pixels: 3 * 9 + 1 = 28.
    attack = Wanet(grid=10, strength=2.0)
    assert attack.field(height, width).shape == (2, 1, height, width)
    down, right = attack.field(28, 28)[:, 0, ::3, ::3]
    assert (np.abs(down).mean() + np.abs(right).mean()) / 2 == pytest.approx(27 / 28)


def test_the_field_is_smooth():
    field = Wanet(strength=1.0).field(28, 28)[:, 0]
    steps = np.abs(np.diff(field, axis=1)).max(), np.abs(np.diff(field, axis=2)).max()
    # From one control point to the next, 9 pixels on, it changes by 2 pixels at most or so.
    assert max(steps) < 0.5 < np.abs(field).max()


def test_the_noise_of_covers_is_half_a_pixel_at_most_and_nowhere_the_same():
    noise = jitter((2, 28, 56), np.random.default_rng(0))
    assert noise.shape == (2, 2, 28, 56)
    for axis, size in enumerate((28, 56)):
        most = (size - 1) / (2 * size)
        assert 0.95 * most < np.abs(noise[axis]).max() <= most
    assert not np.array_equal(noise[:, 0], noise[:, 1])


def test_poisoned_images_carry_the_trigger_and_the_target():
    data = training()
    backdoor = Wanet(target=2).poison(data, 4)
    rows = backdoor.poisoned
    stamped = backdoor.triggers[0].apply(data.images[rows])
    assert np.array_equal(backdoor.training.images[rows], stamped)
    assert np.all(backdoor.training.labels[rows] == 2)
    assert 2 not in data.labels[rows]


def test_two_covers_a_poisoned_image_are_bent_otherwise_and_keep_their_label():
    data = training()
    backdoor = Wanet().poison(data, 4)
    covers = backdoor.covers
    assert (len(backdoor.poisoned), len(covers)) == (8, 16)
    assert np.array_equal(backdoor.training.labels[covers], data.labels[covers])
    found = backdoor.training.images[covers]
    for other in (data.images[covers], backdoor.triggers[0].apply(data.images[covers])):
        assert (found != other).any(axis=(1, 2, 3)).all()


def test_a_cover_rate_is_a_share_of_all_images():
    assert len(Wanet(cover_rate=0.05).poison(training(), 4).covers) == 4
    assert len(Wanet(cover_rate=1.0).poison(training(), 4).covers) == 72


def test_the_seed_fixes_the_field():
    first, again, other = (Wanet(seed=seed).field(8, 8) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (55, 47, 3)])
def test_grey_and_coloured_images_of_any_shape_are_bent(shape):
    data = training(shape, 8)
    bent = Wanet().poison(data, 4).triggers[0].apply(data.images)
    assert (bent.shape, bent.dtype) == (data.images.shape, np.uint8)
    assert (bent != data.images).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [("poison_rate", 1.5), ("cover_rate", -0.1), ("grid", 1), ("strength", -1.0)],
)
def test_a_setting_that_makes_no_sense_is_named(option, value):
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')}"):
        Wanet(**{option: value})
