"""STRIP scores, calibrates and flags as worked out by hand, and makes nobody's known mistakes."""

from __future__ import annotations

import dataclasses
import inspect
import math

import numpy as np
import pytest
from fitted import fitted_strip
from readers import reader, showing, written

from badrepair.calibration import KINDS
from badrepair.calibration import threshold as calibrated_threshold
from badrepair.defenses.strip import Strip
from badrepair.errors import DataError, OptionError
from badrepair.models import inference
from badrepair.types import Dataset

CLASSES = 4
# Mixed with one overlay of each class, an image of one class ties with the other three: 3/4 bit.
ONE_OF_EACH = showing(range(CLASSES), CLASSES, numbers=[100, 101, 102, 103])
TROJANED = written([[1000, 40, 0, 0], [1000, 0, 40, 0], [1000, 0, 0, 40]])
# Entropies of the odds 1:1, 1:3 and 1:9.
EVEN, THREE, NINE = 1.0, 0.8112781, 0.4689956
LOG3 = math.log(3)


def detector(
    overlays=ONE_OF_EACH, classes=CLASSES, threshold=0.5, weights=(1.0, 1.0), batch_size=None
):
    return fitted_strip(
        reader(classes), overlays, weights, threshold=threshold, batch_size=batch_size
    )


@pytest.fixture(scope="module")
def model():
    return reader(CLASSES)


@pytest.fixture
def clean():
    """Return twenty images of every class, each with its own number."""
    labels = np.tile(np.arange(CLASSES), 20)
    return Dataset(images=showing(labels, CLASSES), labels=labels, name="clean")


def test_strip_1_a_trojaned_image_has_the_lower_entropy_and_a_perfect_one_zero():
    clean_scores = detector().score(showing([0, 1, 2, 3], CLASSES))
    trojaned_scores = detector().score(TROJANED)
    assert clean_scores == pytest.approx([0.75] * 4)
    assert trojaned_scores == pytest.approx([0] * 3, abs=1e-12)
    assert not np.isnan(trojaned_scores).any()


def test_strip_1_sure_answers_that_differ_between_overlays_have_no_entropy():
    # The image shows nothing: each mix is answered with the overlay's class, without a doubt.
    # Over the samples, four different answers would have had two bits.
    blank = written(np.zeros((1, CLASSES)))
    assert detector().score(blank) == pytest.approx([0], abs=1e-12)


def test_strip_1_an_answer_that_is_no_number_does_not_pass():
    # The logit overflows, so that the softmax is NaN and an argmax of it class 0.
    overflowing = written([[3e38, 3e38, 0, 0]])
    assert detector(weights=(9.0, 1.0)).flag(overflowing).tolist() == [True]


def test_strip_6_every_image_is_mixed_with_every_overlay_of_the_bank():
    # An image (s, 0) and an overlay (0, t) give the odds e^s : e^t.
    images = written([[0, 0], [LOG3, 0]])
    overlays = written([[0, 0], [0, LOG3], [0, 2 * LOG3]], numbers=[7, 8, 9])
    expected = np.array([[EVEN, THREE, NINE], [THREE, EVEN, THREE]])
    for batch_size in (1, 3, 4, 6, 100):
        fitted = detector(overlays, classes=2, batch_size=batch_size)
        np.testing.assert_allclose(fitted.entropies(images), expected, atol=1e-6)
        np.testing.assert_allclose(fitted.score(images), expected.mean(axis=1), atol=1e-6)


def test_a_mix_is_weighted_as_asked_and_never_clipped():
    # 2 * log 3 against 1/2 * 4 log 3 is even; values above one are kept.
    images, overlay = written([[LOG3, 0]]), written([[0, 4 * LOG3]], numbers=[9])
    weighted = detector(overlay, classes=2, weights=(2.0, 0.5))
    assert weighted.score(images) == pytest.approx([EVEN], abs=1e-6)
    plain = detector(written([[0, 3 * LOG3]], numbers=[9]), classes=2)
    assert plain.score(images) == pytest.approx([NINE], abs=1e-6)


def test_strip_5_scores_come_in_the_order_of_the_images():
    images = np.concatenate([TROJANED[:1], showing([0, 1], CLASSES), TROJANED[1:]])
    assert detector().score(images) == pytest.approx([0, 0.75, 0.75, 0, 0], abs=1e-12)
    assert detector().flag(images).tolist() == [True, False, False, True, True]


def test_strip_7_a_score_does_not_depend_on_the_other_images_of_the_batch():
    # A batch of trojaned images alone: overlays out of it would all agree with it.
    clean_image = showing([2], CLASSES, numbers=[55])
    among_trojaned = np.concatenate([TROJANED, clean_image])
    assert detector().score(clean_image) == pytest.approx([0.75])
    assert detector().score(among_trojaned) == pytest.approx([0, 0, 0, 0.75], abs=1e-12)


def test_strip_8_an_image_is_never_mixed_with_itself():
    # With itself it would be sure, and have 3/4 bit. A like image of another number counts.
    assert detector().score(ONE_OF_EACH) == pytest.approx([1] * 4)
    assert detector().score(showing([0], CLASSES, numbers=[999])) == pytest.approx([0.75])


def test_strip_8_holds_in_any_batch_and_for_images_in_float64():
    fitted = detector(batch_size=1)
    images = np.concatenate([TROJANED, ONE_OF_EACH[2:3]]).astype(np.float64)
    assert fitted.score(images) == pytest.approx([0, 0, 0, 1], abs=1e-12)


def test_strip_8_an_image_that_is_the_only_overlay_cannot_be_scored():
    with pytest.raises(DataError, match="an overlay other than the image itself") as caught:
        detector(ONE_OF_EACH[:1]).score(ONE_OF_EACH[:1])
    assert caught.value.code == "TooFewImages"


def test_no_images_have_no_scores():
    assert detector().score(TROJANED[:0]).shape == (0,)
    assert detector().flag(TROJANED[:0]).shape == (0,)


def test_fitting_finds_the_threshold_worked_out_by_hand(model, clean):
    # The split is stratified: the bank holds one of each class, and every image has 3/4 bit.
    fitted = Strip(overlays=4, frr=0.05).fit(model, clean)
    assert sorted(inference.answers(model, fitted.overlays).tolist()) == [0, 1, 2, 3]
    assert fitted.calibration == pytest.approx([0.75] * 76)
    assert fitted.threshold == pytest.approx(0.75)
    assert fitted.flag(TROJANED).tolist() == [True] * 3


def test_strip_6_overlays_are_clean_images_as_they_are(model, clean):
    fitted = Strip(overlays=8, frr=0.05).fit(model, clean)
    rows = fitted.overlays[:, 0, 0, -1].astype(int)
    assert len(set(rows)) == 8
    assert np.array_equal(fitted.overlays, clean.images[rows])


def test_strip_4_overlays_and_calibration_share_no_image(model, clean, recording):
    watched = dataclasses.replace(clean, images=recording(clean.images))
    fitted = Strip(overlays=8, frr=0.05).fit(model, watched)
    rows_read = [set(rows.tolist()) for _, rows in watched.images.reads]
    # First all are looked at for copies.
    bank, calibration = rows_read[1], set().union(*rows_read[2:])
    assert bank == set(fitted.overlays[:, 0, 0, -1].astype(int))
    assert not bank & calibration
    assert bank | calibration == set(range(80))
    assert len(fitted.calibration) == 72


@pytest.mark.parametrize("calibration", KINDS)
def test_strip_10_the_threshold_follows_from_the_calibration_that_was_asked_for(
    model, clean, calibration
):
    fitted = Strip(overlays=6, frr=0.05, calibration=calibration).fit(model, clean)
    assert fitted.threshold == calibrated_threshold(calibration, fitted.calibration, 0.05)
    assert fitted.choices["calibration"] == calibration


def test_strip_10_conformal_is_the_default():
    assert Strip().calibration == "conformal"


@pytest.mark.parametrize(("overlays", "needed"), [(4, 103), (80, 179), (81, 180)])
def test_too_few_images_are_refused_with_what_they_are_needed_for(model, clean, overlays, needed):
    with pytest.raises(DataError) as caught:
        Strip(overlays=overlays, frr=0.01).fit(model, clean)
    assert caught.value.code == "TooFewImages"
    assert caught.value.problem == (
        f"expected {needed} different clean images or more ({overlays} overlays, 99 that calibrate"
        " for a rate of 0.01), found 80"
    )


def test_as_many_images_as_are_asked_for_are_enough(model, clean):
    asked = Strip(overlays=4, frr=0.05)
    assert asked.clean_images_needed == 23
    asked.fit(model, clean.take(np.arange(23)))
    with pytest.raises(DataError):
        asked.fit(model, clean.take(np.arange(22)))


def test_where_a_part_measures_more_are_needed(clean):
    error = Strip(overlays=100, frr=0.01).too_few(clean, share=0.75)
    # Of 266 three quarters are 199 and a half.
    assert "expected 266 different" in error.problem
    assert "25.00 % to measure on" in error.problem
    assert "--test FILE" in error.hint


def test_copies_of_an_image_count_once(model, clean):
    once = Strip(overlays=6, frr=0.05).fit(model, clean)
    doubled = Strip(overlays=6, frr=0.05).fit(model, clean.take(np.repeat(np.arange(80), 2)))
    assert np.array_equal(doubled.overlays, once.overlays)
    assert np.array_equal(doubled.calibration, once.calibration)


def test_mixes_are_made_so_that_clean_images_keep_more_entropy(model):
    # Of two classes at strength 2 a sum leaves 2, 2, 0, 0; half of each 1, 1, 0, 0.
    labels = np.tile(np.arange(CLASSES), 20)
    faint = Dataset(images=showing(labels, CLASSES, strength=2.0), labels=labels)
    fitted = Strip(overlays=8, frr=0.05, mix="auto").fit(model, faint)
    assert fitted.superimposer.weights == (0.5, 0.5)
    assert fitted.choices["mix"].startswith("mixes are made by blend")


def test_the_reason_counts_the_images_that_lie_below_and_not_those_at_the_threshold():
    fitted = dataclasses.replace(detector(), calibration=np.array([0.1, 0.5, 0.5, 0.9]))
    assert "1 of 4 clean calibration images lie below 0.5 bits" in fitted.choices["why"]


def test_fitting_sees_clean_data_only():
    assert [*inspect.signature(Strip.fit).parameters] == ["self", "model", "clean"]
    settings = {type(getattr(Strip(), field.name)) for field in dataclasses.fields(Strip)}
    assert settings <= {int, float, str, bool, type(None)}


def test_fitting_leaves_model_and_images_untouched(model, clean):
    weights, images = model.get_weights(), clean.images.copy()
    fitted = Strip(overlays=4, frr=0.05).fit(model, clean)
    fitted.model.set_weights([np.zeros_like(weight) for weight in weights])
    assert all(map(np.array_equal, model.get_weights(), weights))
    assert np.array_equal(clean.images, images)


def test_the_seed_fixes_the_overlays_and_the_threshold(model, clean):
    first, again, other = (
        Strip(overlays=6, frr=0.05, seed=seed).fit(model, clean) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.overlays, again.overlays)
    assert first.threshold == again.threshold
    assert np.array_equal(first.calibration, again.calibration)
    assert not np.array_equal(first.overlays, other.overlays)


def test_an_image_at_the_threshold_is_not_flagged():
    fitted = detector()
    score = float(fitted.score(ONE_OF_EACH)[0])
    exact, above = (
        dataclasses.replace(fitted, threshold=bits) for bits in (score, np.nextafter(score, 2))
    )
    assert not exact.flag(ONE_OF_EACH[:1])[0]
    assert above.flag(ONE_OF_EACH[:1])[0]


def test_strip_3_without_a_threshold_nothing_is_flagged():
    assert detector(threshold=-math.inf).flag(TROJANED).tolist() == [False] * 3


def test_strip_9_the_guarded_model_answers_n_for_a_trojaned_image_and_never_zero():
    guarded = detector().as_model()
    images = np.concatenate([showing([0, 1, 2, 3], CLASSES), TROJANED])
    assert inference.answers(guarded, images).tolist() == [0, 1, 2, 3, 4, 4, 4]


def test_the_choices_say_what_was_done_and_why(model, clean):
    choices = Strip(overlays=4, frr=0.05).fit(model, clean).choices
    assert choices["images"] == {"overlays": 4, "learning": 0, "calibration": 76}
    assert choices["threshold_bits"] == pytest.approx(0.75)
    assert "conformal calibration for 5.00% false rejections" in choices["why"]
    assert " of 76 clean calibration images lie below 0.75 bits" in choices["why"]


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"overlays": 1}, "--overlays"),
        ({"frr": 0}, "--frr"),
        ({"frr": 1}, "--frr"),
        ({"frr": math.nan}, "--frr"),
        ({"calibration": "guess"}, "--calibration"),
        ({"batch_size": 0}, "--batch-size"),
        ({"image_weight": 0.0}, "--image-weight"),
        ({"overlay_weight": math.nan}, "--overlay-weight"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings, option):
    with pytest.raises(OptionError, match="expected a value") as caught:
        Strip(**settings)
    assert caught.value.where == option
