"""The floor: how sure an answer is, worked out by hand, in one pass and without saturation."""

from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pytest
from readers import reader, showing, written

from badrepair.defenses.max_softmax import FittedMaxSoftmax, MaxSoftmax
from badrepair.errors import DataError, ModelError, OptionError
from badrepair.models import inference
from badrepair.types import Dataset

CLASSES = 3


def detector(threshold=-5.0, classes=CLASSES, **settings):
    return FittedMaxSoftmax(
        defense=MaxSoftmax(**settings), model=reader(classes), threshold=threshold
    )


def unsure(n=20):
    """Return clean images whose answers have strengths of 1, 2, ... n."""
    strengths = np.arange(1.0, n + 1)
    images = written(strengths[:, None] * np.eye(CLASSES)[np.arange(n) % CLASSES])
    return Dataset(images=images, labels=np.arange(n) % CLASSES, name="clean")


def test_the_score_is_the_log_of_what_is_not_on_the_answer():
    # Probabilities 1/3 each; then odds of 3 : 1 : 1, of which 2/5 are not on the answer.
    images = written([[0, 0, 0], [math.log(3), 0, 0], [0, math.log(3), 0]])
    expected = [math.log(2 / 3), math.log(0.4), math.log(0.4)]
    assert detector().score(images) == pytest.approx(expected, abs=1e-6)


def test_a_surer_answer_has_a_lower_score_where_a_softmax_is_one_to_the_last_digit():
    # e^-50 and e^-300 are lost beside 1 in any precision. Two others: log 2 more.
    images = written([[50, 0, 0], [0, 300, 0], [0, 0, 3000]])
    found = detector().score(images)
    assert found.dtype == np.float64
    assert found == pytest.approx(np.array([-50, -300, -3000]) + math.log(2), abs=1e-6)


def test_equal_answers_tie_and_the_largest_counts_once():
    # Odds e^9 : e^9 : 1. All but half is on the answer.
    found = detector().score(written([[9, 9, 0]]))
    assert found == pytest.approx([math.log((1 + math.exp(-9)) / (2 + math.exp(-9)))], abs=1e-6)


@pytest.mark.parametrize("logits", [[np.nan, 0, 0], [np.inf, 0, 0], [3e38, -3e38, -3e38]])
def test_strip_1_an_answer_that_is_no_number_is_the_most_suspicious(logits):
    images = written([logits, [80, 0, 0]])
    scores = detector().score(images)
    assert np.isfinite(scores).all()
    assert scores[0] == np.finfo(np.float32).min
    assert detector(threshold=-1e9).flag(images).tolist() == [True, False]


def test_a_trigger_that_makes_the_answer_surer_is_flagged_and_clean_images_are_not():
    fitted = MaxSoftmax(frr=0.1).fit(reader(CLASSES), unsure())
    # Of 20 at most floor(21 * .1) - 1 = 1 lies below: the threshold is the second surest score.
    assert fitted.threshold == pytest.approx(-19 + math.log(2), abs=1e-4)
    assert fitted.flag(unsure().images).tolist() == [False] * 19 + [True]
    triggered = showing([0, 1, 2], CLASSES, strength=40)
    assert fitted.flag(triggered).tolist() == [True] * 3


@pytest.mark.parametrize(
    ("settings", "below"),
    [
        ({"calibration": "pac", "confidence": 0.5}, 1),
        ({"calibration": "pac", "confidence": 0.8}, 0),
        ({"calibration": "empirical"}, 2),
    ],
)
def test_the_threshold_follows_the_calibration_that_is_asked(settings, below):
    # P(Binomial(20, .1) <= 1) = 39.2 % and <= 0 is 12.2 %. The plain quantile is at rank 1.9.
    fitted = MaxSoftmax(frr=0.1, **settings).fit(reader(CLASSES), unsure())
    assert np.sum(fitted.calibration < fitted.threshold) == below


def test_the_choices_say_how_the_threshold_came_about():
    choices = MaxSoftmax(frr=0.1).fit(reader(CLASSES), unsure()).choices
    assert choices["calibration"] == "conformal"
    assert choices["images"] == {"calibration": 20}
    assert choices["threshold_log_probability"] == pytest.approx(-18.3069, abs=1e-4)
    assert choices["why"] == (
        "conformal calibration for 10.00% false rejections: 1 of 20 clean calibration images are"
        " answered with a probability above 1 - exp(-18.31)"
    )


def test_the_guarded_network_answers_n_where_the_detector_flags():
    fitted = MaxSoftmax(frr=0.1).fit(reader(CLASSES), unsure())
    images = np.concatenate([unsure().images[:10], showing([2, 0], CLASSES)])
    answers = inference.answers(fitted.as_model(), images)
    assert answers.tolist() == [*(np.arange(10) % CLASSES), CLASSES, CLASSES]


def test_the_batch_size_changes_no_score():
    images = unsure().images
    one, seven = (detector(batch_size=size).score(images) for size in (1, 7))
    np.testing.assert_allclose(one, seven, rtol=1e-6)


def test_no_images_have_no_scores():
    assert detector().score(np.empty((0, 1, 1, CLASSES + 1))).shape == (0,)


def test_too_few_clean_images_are_refused_with_the_number_that_is_needed():
    with pytest.raises(DataError, match="needs 99 clean calibration images, there are 20"):
        MaxSoftmax().fit(reader(CLASSES), unsure())


def test_a_network_of_one_class_is_refused():
    only = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(ModelError, match="two classes or more"):
        MaxSoftmax(frr=0.5).fit(only, unsure())


@pytest.mark.parametrize(
    ("option", "value"),
    [("frr", 0.0), ("calibration", "best"), ("confidence", 1.0), ("batch_size", 0)],
)
def test_a_setting_that_makes_no_sense_is_named(option, value):
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')}") as caught:
        MaxSoftmax(**{option: value})
    assert caught.value.code == "OptionInvalid"


def test_a_fitted_detector_keeps_its_settings():
    defense = MaxSoftmax(frr=0.1, calibration="empirical")
    fitted = defense.fit(reader(CLASSES), unsure())
    assert (fitted.defense, fitted.name) == (defense, "max-softmax")
    assert dataclasses.replace(fitted, threshold=-math.inf).flag(unsure().images).sum() == 0
