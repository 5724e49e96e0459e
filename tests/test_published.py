"""The figures that others have published of the CSAW-HackML-2020 nets, measured anew.

The data is the competition's and cannot be shipped. Whoever has it runs

    make csaw DATA=folder

where the folder holds data and nets at any depth; a row whose files are not there is skipped.
`docs/csaw.md` says where the figures come from.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from csaw_files import Folder, clean_entropy_bits, good_net, percent

NAMED = os.environ.get("BADREPAIR_CSAW_DATA", "").strip()
VALIDATION, TEST = "clean_validation_data.h5", "clean_test_data.h5"
# Points. Others ran the same weights on another TensorFlow, and printed two or three decimals.
SAME = 0.02
# Points. The order of channels with nearly equal means may differ, and one channel with it.
SAME_AFTER_PRUNING = 1.0
# Bits. Overlays and images are drawn at random there and here.
SAME_ENTROPY = 0.03


@pytest.fixture(scope="module")
def folder():
    """Return the folder that the user named."""
    if not NAMED:
        return Folder(None)
    root = Path(NAMED).expanduser()
    assert root.is_dir(), f"BADREPAIR_CSAW_DATA: {root} is no folder"
    return Folder(root)


@pytest.mark.parametrize(
    ("net", "file", "published"),
    [
        ("sunglasses", VALIDATION, 97.887),
        ("sunglasses", TEST, 97.779),
        ("anonymous_1", VALIDATION, 97.18),
        ("anonymous_1", TEST, 97.186),
        ("anonymous_2", VALIDATION, 95.826),
        ("anonymous_2", TEST, 95.963),
        ("multi_trigger_multi_target", VALIDATION, 96.267),
        ("multi_trigger_multi_target", TEST, 96.009),
    ],
)
def test_clean_accuracy_is_the_published_one(folder, net, file, published):
    measured = percent(folder.net(net), "accuracy", "--clean", folder.file(file))
    assert measured == pytest.approx(published, abs=SAME)


@pytest.mark.parametrize(
    ("net", "trigger", "published"),
    [
        ("sunglasses", "sunglasses", 99.992),
        ("anonymous_1", "anonymous_1", 91.397),
        ("multi_trigger_multi_target", "multi/eyebrows", 91.348),
        ("multi_trigger_multi_target", "multi/lipstick", 91.524),
        ("multi_trigger_multi_target", "multi/sunglasses", 100),
    ],
)
def test_attack_success_is_the_published_one(folder, net, trigger, published):
    options = ("--poisoned", folder.poisoned(trigger), "--input-range", "0-1")
    measured = percent(folder.net(net), "attack_success_rate", *options)
    assert measured == pytest.approx(published, abs=SAME)


@pytest.mark.parametrize(("file", "published"), [("valid.h5", 98.649), ("test.h5", 98.620)])
def test_the_exercise_net_has_the_published_clean_accuracy(folder, file, published):
    measured = percent(folder.lab_net(), "accuracy", "--clean", folder.file(file))
    assert measured == pytest.approx(published, abs=SAME)


@pytest.mark.parametrize("file", ["bd_valid.h5", "bd_test.h5"])
def test_the_exercise_net_falls_for_every_poisoned_image(folder, file):
    options = ("--poisoned", folder.file(file), "--input-range", "0-255")
    measured = percent(folder.lab_net(), "attack_success_rate", *options)
    assert measured == pytest.approx(100, abs=SAME)


@pytest.mark.parametrize(
    ("drop", "clean", "attack"),
    [(2, 95.74, 100), (4, 92.12, 99.98), (10, 84.33, 77.21), (30, 54.68, 6.97)],
)
def test_pruning_alone_leaves_the_published_good_net(folder, drop, clean, attack):
    files = [folder.file(name) for name in ("valid.h5", "test.h5", "bd_test.h5")]
    measured = good_net(folder.lab_net(), *files, drop)
    assert measured.clean == pytest.approx(clean, abs=SAME_AFTER_PRUNING)
    assert measured.attack == pytest.approx(attack, abs=SAME_AFTER_PRUNING)


@pytest.mark.parametrize(
    ("net", "published"),
    [("sunglasses", 0.4861), ("anonymous_1", 0.4920), ("multi_trigger_multi_target", 0.6040)],
)
def test_clean_faces_have_the_published_mean_entropy(folder, net, published):
    measured = clean_entropy_bits(folder.net(net), folder.file(TEST))
    assert measured == pytest.approx(published, abs=SAME_ENTROPY)
