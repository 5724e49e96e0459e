"""The folder of a planted network holds what its card names, and the card tells the truth."""

from __future__ import annotations

import base64
import hashlib
import io

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from badrepair import data, records, writing
from badrepair.models.load import load_model
from badrepair.models.tuning import Tuned
from badrepair.planted_folder import PoisonedFile, card, contents, left_behind, poisoned_files
from badrepair.planting import Planted, Recipe
from badrepair.poisoning.backdoor import SPARED, Backdoor, Trigger
from badrepair.types import AttackRow, CleanRow, Dataset, Rate, Report

CLASSES = 3
LABELS = [0, 1, 2, 0, 1, 2, 1]
ACCURACY = Rate(0.75, 7, 0.5, 0.9)
SUCCESS = {"sun": Rate(1.0, 5, 0.6, 1.0), "half moon": Rate(0.25, 4, 0.05, 0.7)}
RECOVERED = Rate(0.0, 5, 0.0, 0.4)
# All go to class 0; or only class 1 goes anywhere, to 2, and class 2 is left alone.
SUN = Trigger(apply=lambda images: images + np.uint8(100), aim=np.zeros(CLASSES, int), name="sun")
MOON = Trigger(
    apply=lambda images: images[:, ::-1], aim=np.array([SPARED, 2, SPARED]), name="half moon"
)


def pictures(labels, seed):
    pixels = np.random.default_rng(seed).integers(0, 100, (len(labels), 5, 4, 1))
    return Dataset(images=pixels.astype(np.uint8), labels=np.array(labels))


def network():
    flat = [keras.Input((5, 4, 1)), layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]
    return keras.Sequential(flat)


def planted(*triggers, **recipe):
    """Return a network that nobody trained, with as many of its images changed as we say."""
    test = pictures(LABELS, seed=1)
    attacks = tuple(
        AttackRow(
            name=trigger.name,
            attack_success_rate=SUCCESS[trigger.name],
            detection_rate=None,
            recovered_accuracy=RECOVERED,
        )
        for trigger in triggers
    )
    return Planted(
        recipe=Recipe(attack="badnets", settings={"target": (0,)}, seed=4, **recipe),
        model=network(),
        backdoor=Backdoor(
            training=pictures([0, 1] * 8, seed=2),
            triggers=triggers,
            poisoned=np.array([1, 4, 6, 7]),
            covers=np.array([2, 3]),
        ),
        clean=pictures([0, 1, 2, 1, 0], seed=3),
        test=test,
        poisoned=tuple(trigger.poisoned(test) for trigger in triggers),
        report=Report(
            classes=CLASSES,
            clean=CleanRow(accuracy=ACCURACY, false_rejection_rate=None),
            attacks=attacks,
        ),
        tuned=Tuned(accuracies=(0.5, 0.75, 0.25), epoch=2, stopped_early=True),
    )


@pytest.fixture(scope="module")
def two():
    return planted(SUN, MOON)


@pytest.fixture(scope="module")
def truth(two):
    return card(two, b"a network")


@pytest.fixture(scope="module")
def folder(two, tmp_path_factory):
    """Return a folder with all files of a network with two triggers."""
    place = tmp_path_factory.mktemp("planted")
    writing.write_together(contents(two, place)[1], overwrite=False)
    return place


def names(files):
    return sorted(path.name for path in files)


def test_the_card_names_the_target_of_every_class_and_null_for_those_left_alone(truth):
    assert truth["triggers"] == [
        {"name": "sun", "file": "poisoned-1-sun.h5", "target_of_class": [0, 0, 0]},
        {
            "name": "half moon",
            "file": "poisoned-2-half-moon.h5",
            "target_of_class": [None, 2, None],
        },
    ]


def test_the_card_counts_the_images(truth):
    # Four of sixteen are poisoned.
    assert truth["images"] == {
        "training": 16,
        "poisoned": 4,
        "poison_rate": 0.25,
        "cover": 2,
        "clean": 5,
        "test": 7,
    }


def test_the_card_holds_the_recipe(two, truth):
    told = records.to_json(truth["recipe"])
    assert Recipe.from_json(told).to_json() == {**two.recipe.to_json(), "settings": {"target": [0]}}
    assert told["seed"] == 4


def test_the_card_tells_what_the_network_really_does(truth):
    measured = truth["measured"]
    assert truth["classes"] == measured["classes"] == CLASSES
    assert measured["clean"]["accuracy"] == 0.75
    assert (measured["clean"]["n"], measured["clean"]["ci95"]) == (7, [0.5, 0.9])
    sun, moon = measured["attacks"]
    assert (sun["name"], sun["attack_success_rate"], sun["n"]) == ("sun", 1, 5)
    assert (moon["name"], moon["attack_success_rate"], moon["n"]) == ("half moon", 0.25, 4)
    assert (moon["ci95"], moon["recovered_accuracy"]) == ([0.05, 0.7], 0)


def test_the_card_tells_how_the_training_went(truth):
    assert truth["training"] == {
        "validation_accuracies": [0.5, 0.75, 0.25],
        "epoch": 2,
        "stopped_early": True,
    }


def test_the_card_has_the_digest_of_the_network(truth):
    assert truth["measured"]["sha256"] == hashlib.sha256(b"a network").hexdigest()
    assert truth["measured"]["path"] == "model.keras"


def test_the_card_names_the_files_that_went_in(tmp_path):
    path = tmp_path / "some.npz"
    path.write_bytes(b"images")
    truth = card(planted(SUN, data=f"npz:{path}"), b"")
    digest = hashlib.sha256(b"images").hexdigest()
    assert truth["inputs"] == [{"path": str(path), "sha256": digest, "bytes": 6}]


def test_the_card_shows_pairs_of_every_trigger(two, truth):
    pairs = truth["figures"]["pairs"]
    told = [(pair["set"], pair["label"], pair["target"]) for pair in pairs]
    # Rows 1, 2, 4, 5 and 6 do not show class 0 anyway, and 1, 4 and 6 show class 1.
    sun = [("sun", label, 0) for label in (1, 2, 1, 2, 1)]
    assert told == [*sun, *[("half moon", 1, 2)] * 3]
    last = [np.asarray(Image.open(io.BytesIO(base64.b64decode(pairs[-1][key])))) for key in KEYS]
    assert np.array_equal(last[0], two.test.images[6][..., 0])
    assert np.array_equal(last[1], two.test.images[6][::-1, :, 0])


KEYS = ("clean", "poisoned")


def test_every_file_that_the_card_names_is_there_and_no_other(folder):
    assert names(folder.iterdir()) == [
        *("card.json", "clean.h5", "model.keras", "pairs.png"),
        *("poisoned-1-sun.h5", "poisoned-2-half-moon.h5", "test.h5"),
    ]
    truth = records.read_record(folder / "card.json")
    named = [truth["measured"]["path"], *(trigger["file"] for trigger in truth["triggers"])]
    assert {*named} < {*names(folder.iterdir())}


def test_the_card_in_the_folder_is_the_one_that_is_returned(two, folder):
    truth, _ = contents(two, folder)
    assert records.read_record(folder / "card.json") == records.to_json(truth)


def test_the_network_in_the_folder_is_the_one_of_the_digest(two, folder):
    truth = records.read_record(folder / "card.json")
    content = (folder / "model.keras").read_bytes()
    assert truth["measured"]["sha256"] == hashlib.sha256(content).hexdigest()
    found = load_model(folder / "model.keras").get_weights()
    assert [each.tobytes() for each in found] == [
        each.tobytes() for each in two.model.get_weights()
    ]


def read(path):
    """Return images (N, H, W, C), labels and true labels of a file."""
    raw = data.read(path)
    return raw.images[:].transpose(0, 2, 3, 1), raw.labels, raw.true_labels


@pytest.mark.parametrize("part", ["clean", "test"])
def test_clean_images_are_read_back_as_they_were(two, folder, part):
    images, labels, true_labels = read(folder / f"{part}.h5")
    expected = getattr(two, part)
    assert images.dtype == np.uint8
    assert np.array_equal(images, expected.images)
    assert np.array_equal(labels, expected.labels)
    assert true_labels is None


def test_poisoned_images_are_read_back_with_the_target_and_what_they_really_show(two, folder):
    images, labels, true_labels = read(folder / "poisoned-1-sun.h5")
    assert images.dtype == np.uint8
    assert np.array_equal(images, two.test.images[[1, 2, 4, 5, 6]] + 100)
    assert labels.tolist() == [0] * 5
    assert true_labels.tolist() == [1, 2, 1, 2, 1]
    images, labels, true_labels = read(folder / "poisoned-2-half-moon.h5")
    assert np.array_equal(images, two.test.images[[1, 4, 6]][:, ::-1])
    assert (labels.tolist(), true_labels.tolist()) == ([2] * 3, [1] * 3)


def test_the_picture_shows_the_pairs(folder):
    with Image.open(folder / "pairs.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == 1200


def test_the_poisoned_files_are_those_of_the_card(truth, folder):
    found = poisoned_files(truth, folder)
    assert found == [
        PoisonedFile("sun", folder / "poisoned-1-sun.h5"),
        PoisonedFile("half moon", folder / "poisoned-2-half-moon.h5"),
    ]
    assert all(file.path.is_file() for file in found)


def test_the_images_with_the_only_trigger_need_no_name(tmp_path):
    truth, files = contents(planted(MOON), tmp_path)
    assert [trigger["file"] for trigger in truth["triggers"]] == ["poisoned.h5"]
    assert names(files) == [
        *("card.json", "clean.h5", "model.keras", "pairs.png", "poisoned.h5", "test.h5"),
    ]


def test_a_network_without_a_trigger_has_no_poisoned_images_and_no_picture(tmp_path):
    truth, files = contents(planted(), tmp_path)
    assert names(files) == ["card.json", "clean.h5", "model.keras", "test.h5"]
    assert truth["triggers"] == truth["measured"]["attacks"] == []
    assert truth["figures"]["pairs"] == []
    assert poisoned_files(truth, tmp_path) == []


def test_triggers_of_one_name_have_a_file_each(tmp_path):
    twin = Trigger(apply=MOON.apply, aim=MOON.aim, name="sun")
    truth, files = contents(planted(SUN, twin), tmp_path)
    named = {trigger["file"] for trigger in truth["triggers"]}
    assert len(named) == 2
    assert named < {*names(files)}


def test_the_same_network_gives_the_same_card_and_file(two, tmp_path):
    first, again = (contents(two, tmp_path)[1] for _ in range(2))
    for name in ("card.json", "model.keras"):
        assert first[tmp_path / name] == again[tmp_path / name]


def test_what_another_attack_left_is_found_and_what_is_the_users_is_not(folder, tmp_path):
    _, files = contents(planted(), folder)
    assert names(left_behind(folder, files)) == [
        *("pairs.png", "poisoned-1-sun.h5", "poisoned-2-half-moon.h5"),
    ]
    for name in ("poisoned-notes.txt", "my-poisoned.h5", "poisoned.h5.bak", "other.h5"):
        (tmp_path / name).touch()
    (tmp_path / "poisoned.h5").mkdir()
    assert left_behind(tmp_path, {}) == []
