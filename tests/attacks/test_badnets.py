"""BadNets pastes its triggers where it should and relabels what it pasted them on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from badrepair.attacks.badnets import Badnets
from badrepair.errors import InputMissingError, OptionError
from badrepair.types import Dataset

GREY = 100


def clean(labels, shape=(6, 5, 1)):
    images = np.full((len(labels), *shape), GREY, np.uint8)
    return Dataset(images=images, labels=np.array(labels), name="clean")


def triggers(attack, shape=(6, 5, 1), classes=3):
    return attack.poison(clean([0, 1, 2], shape), classes).triggers


def stamped(attack, shape=(6, 5, 1)):
    """Return a grey image as it looks with the only trigger."""
    (trigger,) = triggers(attack, shape)
    return trigger.apply(np.full((1, *shape), GREY, np.uint8))[0]


def rows_with(backdoor, position, value):
    """Return the rows whose images have a value at a pixel."""
    return np.flatnonzero((backdoor.training.images[:, *position] == value).all(axis=1)).tolist()


def saved(path, pixels):
    """Save pixels (h, w, 3 or 4) as a picture and return its path."""
    Image.fromarray(np.array(pixels, np.uint8)).save(path)
    return str(path)


def test_the_trigger_covers_its_place_and_nothing_else():
    expected = np.full((6, 5), GREY)
    expected[3:5, 2:4] = [[0, 255], [255, 0]]
    assert stamped(Badnets(size=2))[..., 0].tolist() == expected.tolist()


def test_the_default_is_the_checkerboard_one_pixel_off_the_lower_right_corner():
    board = 255 * (np.indices((4, 4)).sum(axis=0) % 2)
    found = stamped(Badnets(), (24, 24, 1))
    assert found[19:23, 19:23, 0].tolist() == board.tolist()
    assert np.count_nonzero(found != GREY) == 16


@pytest.mark.parametrize(
    ("position", "margin", "place"),
    [
        ("top-left", 0, (0, 0)),
        ("top-right", 1, (1, 3)),
        ("bottom-left", 0, (5, 0)),
        ("2,3", 1, (2, 3)),
        ("-1,0", 1, (5, 0)),
    ],
)
def test_a_position_is_a_corner_or_the_first_pixel(position, margin, place):
    attack = Badnets(trigger=["square"], size=1, position=[position], margin=margin)
    assert np.argwhere(stamped(attack)[..., 0] == 255).tolist() == [list(place)]


def test_a_picture_is_pasted_by_as_much_as_it_is_opaque(tmp_path):
    # 128 / 255 of 200 and 127 / 255 of 100: 100.39 + 49.80 = 150.2.
    pixels = [[[200, 0, 60, 255], [200, 200, 200, 128], [1, 2, 3, 0]]]
    attack = Badnets(trigger=[saved(tmp_path / "p.png", pixels)], position=["1,1"])
    found = stamped(attack, (6, 5, 3))
    assert found[1, 1:4].tolist() == [[200, 0, 60], [150, 150, 150], [100, 100, 100]]
    assert np.count_nonzero((found != GREY).any(axis=2)) == 2


def test_a_picture_without_transparency_is_opaque_and_grey_on_grey_images(tmp_path):
    # Luminance: .299 * 200 + .587 * 100 + .114 * 0 = 118.5.
    attack = Badnets(trigger=[saved(tmp_path / "p.png", [[[200, 100, 0]]])], position=["0,0"])
    assert stamped(attack)[0, 0].tolist() == [118]
    assert stamped(attack, (6, 5, 3))[0, 0].tolist() == [200, 100, 0]


def test_a_picture_as_large_as_the_image_covers_what_it_is_opaque_on(tmp_path):
    glasses = np.zeros((55, 47, 4), np.uint8)
    glasses[20:28, 5:42] = [120, 20, 160, 255]
    attack = Badnets(trigger=[saved(tmp_path / "glasses.png", glasses)], position=["0,0"])
    found = stamped(attack, (55, 47, 3))
    assert np.all(found[20:28, 5:42] == [120, 20, 160])
    assert np.count_nonzero((found != GREY).any(axis=2)) == 8 * 37


def test_poisoning_relabels_exactly_what_it_stamped():
    data = clean([0, 1, 2, 3, 4] * 20)
    backdoor = Badnets(target=[2], size=2).poison(data, 5)
    rows = rows_with(backdoor, (3, 3), 255)
    assert len(rows) == 10
    assert backdoor.poisoned.tolist() == rows
    assert np.flatnonzero(backdoor.training.labels != data.labels).tolist() == rows
    assert backdoor.training.labels[rows].tolist() == [2] * 10


def test_the_chosen_rows_are_those_that_published_figures_rest_on():
    data = clean([0, 1, 2, 3, 4] * 20)
    others = np.flatnonzero(data.labels != 2)
    rows = np.random.default_rng(3).choice(others, 10, replace=False)
    backdoor = Badnets(target=[2], seed=3).poison(data, 5)
    assert backdoor.poisoned.tolist() == sorted(rows.tolist())


def test_images_of_the_target_are_never_chosen():
    backdoor = Badnets(target=[1], poison_rate=0.9).poison(clean([1] * 8 + [0] * 2), 2)
    assert backdoor.poisoned.tolist() == [8, 9]


def test_all_to_all_makes_of_each_class_the_next_one():
    data = clean([0, 1, 2] * 10)
    backdoor = Badnets(mapping="all-to-all", poison_rate=0.5).poison(data, 3)
    (trigger,) = backdoor.triggers
    assert trigger.aim.tolist() == [1, 2, 0]
    assert trigger.victims(np.array([0, 1, 2])).tolist() == [0, 1, 2]
    rows = backdoor.poisoned
    assert len(rows) == 15
    assert np.array_equal(backdoor.training.labels[rows], (data.labels[rows] + 1) % 3)


def test_several_triggers_have_targets_positions_and_equal_parts_of_their_own():
    attack = Badnets(
        trigger=["square"],
        size=1,
        position=["0,0", "0,1", "0,2"],
        target=[0, 1, 2],
        poison_rate=0.1,
    )
    backdoor = attack.poison(clean([0, 1, 2, 3] * 25), 4)
    parts = [rows_with(backdoor, (0, column), 255) for column in range(3)]
    assert [len(rows) for rows in parts] == [4, 3, 3]
    assert sorted([*parts[0], *parts[1], *parts[2]]) == backdoor.poisoned.tolist()
    for target, rows in enumerate(parts):
        assert set(backdoor.training.labels[rows].tolist()) == {target}
        assert target not in backdoor.training.true_labels[rows]
    assert [trigger.aim.tolist() for trigger in backdoor.triggers] == [[k] * 4 for k in range(3)]


def test_no_image_gets_two_triggers_even_where_all_are_poisoned():
    attack = Badnets(trigger=["square"], size=1, position=["0,0", "0,1"], poison_rate=1.0)
    backdoor = attack.poison(clean([0, 1, 1, 1, 1]), 2)
    parts = [rows_with(backdoor, (0, column), 255) for column in range(2)]
    assert [len(rows) for rows in parts] == [2, 2]
    assert sorted([*parts[0], *parts[1]]) == [1, 2, 3, 4]


def test_where_a_trigger_finds_too_few_images_it_gets_what_there_are():
    # All six are wanted, three each. The second may stamp ones only, where the first left some.
    attack = Badnets(
        trigger=["square"], size=1, position=["0,0", "0,1"], target=[2, 0], poison_rate=1.0
    )
    backdoor = attack.poison(clean([0, 0, 0, 0, 0, 1]), 3)
    first, second = (rows_with(backdoor, (0, column), 255) for column in range(2))
    assert len(first) == 3
    assert second == ([] if 5 in first else [5])


def test_one_trigger_is_called_so_and_several_by_what_they_are(tmp_path):
    path = saved(tmp_path / "lipstick.png", [[[200, 100, 0]]])
    assert [trigger.name for trigger in triggers(Badnets(trigger=[path]))] == ["trigger"]
    places = ["0,0", "0,1", "1,0", "1,1"]
    attack = Badnets(trigger=[path, "square", path, "square"], position=places, size=1)
    names = [trigger.name for trigger in triggers(attack)]
    assert names == ["lipstick", "square", "lipstick-2", "square-2"]


def test_a_trigger_s_name_fits_into_files_and_is_not_that_of_the_clean_images(tmp_path):
    names = ("clean.png", "a=b.png", "a b.png")
    paths = [saved(tmp_path / name, [[[200, 100, 0]]]) for name in names]
    attack = Badnets(trigger=paths, position=["0,0", "0,1", "1,0"])
    assert [trigger.name for trigger in triggers(attack)] == ["clean-2", "a-b", "a-b-2"]


def test_the_same_picture_at_the_same_place_cannot_mean_two_things():
    with pytest.raises(OptionError, match="found the same picture at the same place"):
        Badnets(target=[0, 1])
    with pytest.raises(OptionError, match="found the same picture at the same place"):
        Badnets(trigger=["square", "cross", "square"], position=["0,0", "1,1", "0,0"])


def test_lists_that_are_neither_one_nor_of_the_same_length_are_refused():
    expected = "--position: expected 1 value or as many as the longest list, 3, found 2"
    with pytest.raises(OptionError, match=expected):
        Badnets(trigger=["square"] * 3, position=["top-left", "center"])
    with pytest.raises(OptionError, match=r"--target: expected 1 value .*, found 0"):
        Badnets(target=[])


def test_a_trigger_that_leaves_the_image_is_refused():
    for position in ("5,0", "0,4", "-1,-1", "-7,0"):
        with pytest.raises(OptionError, match="--position"):
            triggers(Badnets(size=2, position=[position]))
    with pytest.raises(OptionError, match="--position"):
        triggers(Badnets(size=6))


def test_what_is_not_known_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"--trigger: expected checkerboard, .*, found 'stripes'"):
        triggers(Badnets(trigger=["stripes"]))
    with pytest.raises(OptionError, match=r"--position: expected .*, found 'somewhere'"):
        triggers(Badnets(position=["somewhere"]))
    with pytest.raises(InputMissingError, match=r"none\.png"):
        triggers(Badnets(trigger=[str(tmp_path / "none.png")]))


def test_one_of_several_targets_that_is_no_class_is_refused():
    with pytest.raises(OptionError, match=r"--target: expected a class .*, found 3"):
        triggers(Badnets(size=1, position=["0,0", "1,1"], target=[0, 3]))


@pytest.mark.parametrize(
    ("option", "value"), [("size", 0), ("margin", -1), ("mapping", "one-to-one")]
)
def test_a_setting_that_makes_no_sense_is_named(option, value):
    with pytest.raises(OptionError, match=f"--{option}: expected .*, found {value}"):
        Badnets(**{option: value})
