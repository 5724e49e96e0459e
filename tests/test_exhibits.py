"""What a record keeps for its figures is what was there, small enough to keep."""

from __future__ import annotations

import base64
import io
import json
import math

import keras
import numpy as np
import pytest
from fitted import fitted_strip
from keras import layers
from PIL import Image
from readers import reader, showing

from badrepair import exhibits
from badrepair.models.pruner import ChannelPruner
from badrepair.plots.parts import MOST_SETS
from badrepair.poisoning.backdoor import SPARED, Trigger
from badrepair.types import Dataset

CLASSES = 2


def decoded(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).tolist()


def two_channels():
    """Return a network whose first channel is the image and whose second one is twice it."""
    inputs = keras.Input((1, 2, 1))
    conv = layers.Conv2D(2, 1, activation="relu", use_bias=False, name="conv")
    outputs = layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(conv(inputs)))
    model = keras.Model(inputs, outputs)
    conv.set_weights([np.array([[[[1.0, 2.0]]]])])
    return model


def pairs(values, name):
    """Return images of two pixels beside each other."""
    images = np.array(values, np.float32)[:, None, :, None]
    return Dataset(images=images, labels=np.zeros(len(values), np.int64), name=name)


def shown(labels, name, targets=None):
    targets = labels if targets is None else targets
    return Dataset(images=showing(labels, CLASSES), labels=np.array(targets), name=name)


def grey(size=4):
    """Return a network for grey images of any content; it answers 1."""
    inputs = keras.Input((size, size, 1))
    deciding = layers.Dense(CLASSES, kernel_initializer="zeros")
    model = keras.Model(inputs, deciding(layers.Flatten()(inputs)))
    deciding.bias.assign([0.0, 1.0])
    return model


def test_activations_are_the_mean_map_of_every_channel():
    # The mean of (0, 1), (0, 2) and (1, 1) is (1/3, 4/3), kept to four digits of the largest.
    clean, patch = pairs([[0, 1], [0, 2], [1, 1]], "clean"), pairs([[5, -5]], "patch")
    found = exhibits.activations(ChannelPruner(two_channels()), np.array([1, 0]), clean, [patch])
    assert found["layer"] == "conv"
    assert np.array(found["clean"]) == pytest.approx(
        np.array([[[0.333, 1.333]], [[0.667, 2.667]]]), abs=1e-9
    )
    assert found["poisoned"] == {"patch": [[[5, 0]], [[10, 0]]]}
    assert found["n"] == {"clean": 3, "patch": 1}
    assert list(found["order"]) == [1, 0]


def test_activations_fit_into_json():
    found = exhibits.activations(
        ChannelPruner(two_channels()), [1, 0], pairs([[0, 0]], "clean"), []
    )
    assert json.loads(json.dumps(found))["clean"] == [[[0, 0]], [[0, 0]]]


def test_of_many_images_some_are_taken_evenly_spread():
    values = np.c_[np.arange(5000), np.zeros(5000)]
    found = exhibits.activations(ChannelPruner(two_channels()), [0, 1], pairs(values, "clean"), [])
    assert found["n"] == {"clean": exhibits.IMAGES_FOR_ACTIVATIONS}
    assert found["clean"][0][0] == pytest.approx([2499.5, 0], abs=1)


def test_samples_name_their_set_their_label_and_the_answer():
    clean, poisoned = shown([1, 0], "clean"), shown([1], "patch", targets=[0])
    found = exhibits.samples(reader(CLASSES), clean, [poisoned], "0-255")
    told = [(sample["set"], sample["label"], sample["answer"]) for sample in found]
    assert told == [("clean", 1, 1), ("clean", 0, 0), ("patch", 0, 1)]


def test_samples_are_few_and_spread_from_the_first_to_the_last():
    images = np.linspace(0, 255, 52, dtype=np.float32).reshape(52, 1, 1, 1)
    data = Dataset(images=np.tile(images, (1, 4, 4, 1)), labels=np.arange(52))
    found = exhibits.samples(grey(), data, [], "0-255")
    assert [sample["label"] for sample in found] == [0, 10, 20, 30, 40, 51]
    brightness = [decoded(sample["png"])[0][0] for sample in found]
    assert brightness == [0, 50, 100, 150, 200, 255]


def test_a_set_smaller_than_the_sample_is_shown_whole():
    found = exhibits.samples(reader(CLASSES), shown([1, 0, 1], "clean"), [], "0-1")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("white", "expected"), [(1.0, [[0, 128, 255, 255]]), (2.0, [[0, 64, 128, 255]])]
)
def test_a_picture_is_scaled_so_that_white_is_white(white, expected):
    image = np.array([0.0, 0.5, 1.0, 2.0]).reshape(1, 4, 1)
    assert decoded(exhibits.png(image, white)) == expected


def test_a_picture_keeps_its_colours():
    image = np.array([255.0, 128.0, 0.0]).reshape(1, 1, 3)
    assert decoded(exhibits.png(image, 255)) == [[[255, 128, 0]]]


def test_of_other_numbers_of_channels_the_first_is_shown():
    assert decoded(exhibits.png(np.array([[[9.0, 200.0]]]), 255)) == [[9]]


@pytest.fixture
def detector():
    """Return a detector of two overlays that show the classes 0 and 1."""
    overlays = showing([0, 1], CLASSES, numbers=[7, 8])
    return fitted_strip(reader(CLASSES), overlays, (0.5, 1.0))


def test_the_superimposition_shows_image_overlay_and_mix(detector):
    clean = shown([0, 1], "clean")
    panels = exhibits.superimposition(detector, clean, [], "0-255")
    assert [panel["title"] for panel in panels] == ["image", "overlay", "mix"]
    # Two classes and the number make three colours: 1/2 * (40, 0, 0) + (40, 0, 7) = (60, 0, 7).
    pixels = [decoded(panel["png"])[0][0] for panel in panels]
    assert pixels == [[40, 0, 0], [40, 0, 7], [60, 0, 7]]


def test_the_superimposition_compares_with_the_first_poisoned_set(detector):
    clean, others = shown([0], "clean"), [shown([1], "patch"), shown([0], "sticker")]
    panels = exhibits.superimposition(detector, clean, others, "0-255")
    titles = [panel["title"] for panel in panels]
    assert titles == ["image", "overlay", "mix", "poisoned image", "poisoned mix"]
    assert decoded(panels[4]["png"]) == [[[40, 20, 7]]]


def test_the_superimposition_tells_the_entropy_of_the_whole_bank():
    # log 9 at half the weight is log 3: with (0, 0) odds of 1:3, with (0, log 3) even.
    image = Dataset(images=np.array([[[[math.log(9), 0, 1]]]]), labels=np.array([0]))
    overlays = np.array([[[[0, 0, 2]]], [[[0, math.log(3), 3]]]], np.float32)
    detector = fitted_strip(reader(CLASSES), overlays, (0.5, 1.0))
    panels = exhibits.superimposition(detector, image, [image], "0-1")
    expected = (0.8112781 + 1) / 2
    assert panels[1]["entropy"] is None
    assert [panels[k]["entropy"] for k in (2, 4)] == pytest.approx([expected] * 2, abs=1e-6)


def test_a_mix_brighter_than_white_is_shown_by_its_own_peak():
    overlays = np.full((1, 4, 4, 1), 0.8, np.float32)
    image = Dataset(images=np.full((1, 4, 4, 1), 0.4), labels=np.array([0]))
    image.images[0, 0, 0, 0] = 0.8
    detector = fitted_strip(grey(), overlays)
    panels = exhibits.superimposition(detector, image, [], "0-1")
    # .8 + .8 is white; .4 + .8 is three quarters of it. The image itself stays in 0..1.
    assert decoded(panels[2]["png"])[0][:2] == [255, 191]
    assert decoded(panels[0]["png"])[0][:2] == [204, 102]


def brighter(name, aim, by=50):
    """Return a trigger that adds to every pixel."""
    return Trigger(apply=lambda images: images + np.uint8(by), aim=np.array(aim), name=name)


def greys(labels, first=0):
    """Return images of 1x2 pixels, the first of the image's number and the second a hundred."""
    images = np.full((len(labels), 1, 2, 1), 100, np.uint8)
    images[:, 0, 0, 0] = first + np.arange(len(labels))
    return Dataset(images=images, labels=np.array(labels))


def told(found):
    return [
        (one["set"], one["label"], one["target"], decoded(one["clean"]), decoded(one["poisoned"]))
        for one in found
    ]


def test_a_pair_is_a_victim_as_it_is_and_as_the_trigger_leaves_it():
    # Class 0 is the target and class 2 is left alone.
    found = exhibits.pairs([brighter("sun", [0, 0, SPARED])], greys([2, 1, 0, 1], first=10))
    assert told(found) == [
        ("sun", 1, 0, [[11, 100]], [[61, 150]]),
        ("sun", 1, 0, [[13, 100]], [[63, 150]]),
    ]
    assert json.loads(json.dumps(found)) == found


def test_pairs_keep_their_colours():
    images = np.array([1, 2, 3, 4, 5, 6], np.uint8).reshape(1, 1, 2, 3)
    data = Dataset(images=images, labels=np.array([1]))
    (pair,) = exhibits.pairs([brighter("sun", [0, 0])], data)
    assert decoded(pair["clean"]) == [[[1, 2, 3], [4, 5, 6]]]
    assert decoded(pair["poisoned"]) == [[[51, 52, 53], [54, 55, 56]]]


def test_a_trigger_with_a_target_for_every_class_shows_each_of_them():
    found = exhibits.pairs([brighter("sun", [1, 2, 0])], greys([0, 1, 2]))
    assert [(pair["label"], pair["target"]) for pair in found] == [(0, 1), (1, 2), (2, 0)]


def test_pairs_are_few_and_spread_over_the_victims_of_each_trigger():
    # The odd rows are victims of the first trigger, 26 of them, the even ones of the second.
    triggers = [brighter("sun", [0, 0]), brighter("moon", [1, 1], by=7)]
    found = exhibits.pairs(triggers, greys([0, 1] * 26))
    assert exhibits.PAIRS == 6
    assert [pair["set"] for pair in found] == ["sun"] * 6 + ["moon"] * 6
    shown = [decoded(pair["clean"])[0][0] for pair in found]
    assert shown == [1, 11, 21, 31, 41, 51, 0, 10, 20, 30, 40, 50]
    stamped = [decoded(pair["poisoned"])[0][0] for pair in found]
    assert stamped == [51, 61, 71, 81, 91, 101, 7, 17, 27, 37, 47, 57]


def test_no_more_triggers_are_shown_than_a_figure_takes():
    triggers = [brighter(f"trigger {number}", [0, 0]) for number in range(MOST_SETS + 2)]
    found = exhibits.pairs(triggers, greys([0, 1]))
    assert [pair["set"] for pair in found] == [f"trigger {number}" for number in range(MOST_SETS)]


def test_a_trigger_without_victims_has_no_pairs():
    assert exhibits.pairs([brighter("sun", [SPARED, 1])], greys([0, 1])) == []
    assert exhibits.pairs([], greys([0])) == []


def bright(values, name="clean"):
    """Return images of one pixel each."""
    images = np.array(values, np.float32)[:, None, None, None]
    return Dataset(images=images, labels=np.zeros(len(values), np.int64), name=name)


def extremes(most, **scores):
    """Return what is shown of sets whose images are as bright as ten times their scores."""
    arrays = {name: np.array(values, float) for name, values in scores.items()}
    return exhibits.extremes(
        {name: bright(10 * values, name) for name, values in arrays.items()},
        arrays,
        {name: values / 20 for name, values in arrays.items()},
        "0-255",
        most=most,
    )


def test_the_most_and_least_suspicious_images_are_found_among_all_sets():
    found = extremes(2, clean=[5, 9, 1], patch=[0, 7, 20])
    told = {end: [(one["set"], one["entropy"]) for one in shown] for end, shown in found.items()}
    assert told == {"most": [("patch", 0), ("clean", 1)], "least": [("patch", 20), ("clean", 9)]}
    assert [one["p_value"] for one in found["least"]] == [1, 0.45]
    assert [decoded(one["png"]) for one in found["most"]] == [[[0]], [[10]]]
    assert json.loads(json.dumps(found)) == found


def test_no_image_is_both_most_and_least_suspicious():
    found = extremes(10, clean=[3, 1], patch=[2])
    assert [one["entropy"] for one in found["most"]] == [1, 2]
    assert [one["entropy"] for one in found["least"]] == [3]


def test_ten_of_each_are_shown_if_there_are_so_many():
    found = extremes(exhibits.EXTREMES, clean=np.arange(25))
    assert [one["entropy"] for one in found["most"]] == [*range(10)]
    assert [one["entropy"] for one in found["least"]] == [*range(24, 14, -1)]


def test_images_of_a_set_are_read_one_by_one_and_only_those_that_are_shown(recording):
    data = bright(np.arange(100))
    images = recording(data.images)
    scores = {"clean": np.arange(100.0)}
    lazy = {"clean": Dataset(images=images, labels=data.labels)}
    exhibits.extremes(lazy, scores, scores, "0-255", most=3)
    assert [list(rows) for _, rows in images.reads] == [[0], [1], [2], [99], [98], [97]]


def test_sets_without_images_have_no_extremes():
    assert extremes(3, clean=[]) == {"most": [], "least": []}
