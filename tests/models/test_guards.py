"""A guarded network is a plain Keras file that answers as its base does, or N for "poisoned"."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from fitted import fitted_strip
from heads import HEADS, nested_with_its_softmax_inside, raw_logits, softmax_in_the_layer
from scipy.special import softmax

from badrepair.defenses.max_softmax import FittedMaxSoftmax, MaxSoftmax
from badrepair.errors import ModelError
from badrepair.evaluation import problem_classes
from badrepair.models import guards, inference
from badrepair.models.load import load_model
from badrepair.staging import all_at_once

CLASSES = 5
POISONED = CLASSES
OVERLAYS = 7
WEIGHTS = (0.75, 0.5)
AT_ONCE = {"weights": WEIGHTS, "stages": all_at_once(OVERLAYS)}
random = np.random.default_rng(2)
KERNEL = random.normal(size=(4, CLASSES)).astype(np.float32) * 3
BIAS = random.normal(size=CLASSES).astype(np.float32)
# What a repair might leave of it: the answers to a fifth of the images change.
OTHER_KERNEL = KERNEL + random.normal(size=KERNEL.shape).astype(np.float32)
OTHER_BIAS = BIAS + random.normal(size=CLASSES).astype(np.float32)
IMAGES = random.normal(size=(300, 2, 2, 1)).astype(np.float32)
BANK = random.normal(size=(OVERLAYS, 2, 2, 1)).astype(np.float32)

# What a person does who has Keras and a guarded file, and nothing of ours.
PLAIN_KERAS = """
import pathlib, sys
import keras, numpy
images = numpy.load("images.npy")
answers = {
    path.stem: keras.models.load_model(path)(images)
    for path in pathlib.Path(".").glob("*.keras")
}
batched = keras.models.load_model("entropy_guard-sequential.keras")
answers["in batches"] = batched.predict(images, batch_size=64, verbose=0)
assert "badrepair" not in sys.modules
numpy.savez("answers.npz", **answers)
"""


def logits_by_hand(images, kernel=KERNEL, bias=BIAS):
    return images.reshape(-1, 4).astype(np.float64) @ kernel + bias


def entropies_by_hand(images):
    """Return the mean entropy of every image's mixes in bits, straight from the definition."""
    total = np.zeros(len(images))
    for overlay in BANK:
        p = softmax(logits_by_hand(0.75 * images + 0.5 * overlay), axis=1)
        total += -np.sum(p * np.log2(p), axis=1)
    return total / len(BANK)


def middle_of_the_widest_gap(values):
    """Return a threshold among the middle values that float32 cannot blur."""
    middle = np.sort(values)[100:200]
    widest = np.argmax(np.diff(middle))
    return float(middle[widest : widest + 2].mean())


ENTROPIES = entropies_by_hand(IMAGES)
THRESHOLD = middle_of_the_widest_gap(ENTROPIES)
# log(1 - p) of the largest probability p, from the definition; no image is so sure that it cancels.
REST = np.log1p(-softmax(logits_by_hand(IMAGES), axis=1).max(axis=1))
SURE = middle_of_the_widest_gap(REST)
OWN = logits_by_hand(IMAGES).argmax(axis=1)
OTHERS = logits_by_hand(IMAGES, OTHER_KERNEL, OTHER_BIAS).argmax(axis=1)


def entropy_guard(build, threshold=THRESHOLD):
    model = build(KERNEL, BIAS)
    return guards.entropy_guard(model, BANK, **AT_ONCE, threshold_bits=threshold)


def confidence_guard(build, threshold=None):
    threshold = SURE if threshold is None else threshold
    return guards.confidence_guard(build(KERNEL, BIAS), threshold)


def disagreement_guard(build):
    return guards.disagreement_guard(build(KERNEL, BIAS), build(OTHER_KERNEL, OTHER_BIAS))


EXPECTED = {
    entropy_guard: np.where(ENTROPIES < THRESHOLD, POISONED, OWN),
    confidence_guard: np.where(REST < SURE, POISONED, OWN),
    disagreement_guard: np.where(OWN == OTHERS, OWN, POISONED),
}
GUARDS = pytest.mark.parametrize("guard", EXPECTED)
BUILDS = pytest.mark.parametrize("build", HEADS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a folder with every guard of every kind of network."""
    folder = tmp_path_factory.mktemp("guards")
    for guard in EXPECTED:
        for build in HEADS:
            guard(build).save(folder / f"{guard.__name__}-{build.__name__}.keras")
    return folder


@pytest.fixture(scope="module")
def answers_of_plain_keras(saved):
    """Return what the saved guards answer in a process without badrepair."""
    np.save(saved / "images.npy", IMAGES)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", PLAIN_KERAS]
    run = subprocess.run(
        command,
        cwd=saved,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return np.load(saved / "answers.npz")


def test_the_images_put_the_guards_to_the_test():
    for expected in EXPECTED.values():
        flagged = np.mean(expected == POISONED)
        assert 0.15 < flagged < 0.6
        assert set(expected.tolist()) == {*range(CLASSES), POISONED}


@GUARDS
@BUILDS
def test_plain_keras_answers_as_worked_out_by_hand(answers_of_plain_keras, guard, build):
    answers = answers_of_plain_keras[f"{guard.__name__}-{build.__name__}"]
    assert answers.shape == (300, CLASSES + 1)
    assert answers.argmax(axis=1).tolist() == EXPECTED[guard].tolist()


def test_plain_keras_answers_alike_in_batches(answers_of_plain_keras):
    at_once = answers_of_plain_keras["entropy_guard-sequential"]
    np.testing.assert_allclose(answers_of_plain_keras["in batches"], at_once, atol=1e-5)


@GUARDS
@BUILDS
def test_all_outputs_are_probabilities_that_sum_to_one(answers_of_plain_keras, guard, build):
    answers = answers_of_plain_keras[f"{guard.__name__}-{build.__name__}"]
    assert answers.min() >= 0
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)


@GUARDS
@BUILDS
def test_what_is_not_flagged_keeps_its_probabilities(answers_of_plain_keras, guard, build):
    answers = answers_of_plain_keras[f"{guard.__name__}-{build.__name__}"]
    kept = EXPECTED[guard] != POISONED
    probabilities = softmax(logits_by_hand(IMAGES[kept]), axis=1)
    np.testing.assert_allclose(answers[kept, :CLASSES], probabilities, atol=1e-5)
    np.testing.assert_allclose(answers[kept, POISONED], 0, atol=1e-5)


@GUARDS
def test_strip_9_what_is_flagged_is_the_class_n_and_nothing_else(answers_of_plain_keras, guard):
    answers = answers_of_plain_keras[f"{guard.__name__}-softmax_in_the_layer"]
    flagged = answers[EXPECTED[guard] == POISONED]
    np.testing.assert_allclose(flagged, np.tile([0] * CLASSES + [1], (len(flagged), 1)), atol=1e-5)


@GUARDS
@pytest.mark.parametrize("build", [softmax_in_the_layer, nested_with_its_softmax_inside])
def test_our_own_loader_takes_the_guards_too(saved, guard, build):
    model = load_model(saved / f"{guard.__name__}-{build.__name__}.keras")
    assert guards.is_guard(model)
    assert problem_classes(model) == CLASSES
    assert inference.answers(model, IMAGES).tolist() == EXPECTED[guard].tolist()


@BUILDS
def test_the_entropy_guard_decides_as_the_detector_that_it_was_made_from(build):
    detector = fitted_strip(build(KERNEL, BIAS), BANK, WEIGHTS, THRESHOLD)
    answers = inference.answers(detector.as_model(), IMAGES)
    np.testing.assert_allclose(detector.score(IMAGES), ENTROPIES, atol=1e-5)
    assert (answers == POISONED).tolist() == detector.flag(IMAGES).tolist()
    assert answers.tolist() == EXPECTED[entropy_guard].tolist()


@BUILDS
def test_the_confidence_guard_decides_as_the_detector_that_it_was_made_from(build):
    detector = FittedMaxSoftmax(defense=MaxSoftmax(), model=build(KERNEL, BIAS), threshold=SURE)
    answers = inference.answers(detector.as_model(), IMAGES)
    np.testing.assert_allclose(detector.score(IMAGES), REST, atol=1e-5)
    assert (answers == POISONED).tolist() == detector.flag(IMAGES).tolist()
    assert answers.tolist() == EXPECTED[confidence_guard].tolist()


@pytest.mark.parametrize("guarded", [entropy_guard, confidence_guard])
@pytest.mark.parametrize(("threshold", "expected"), [(-np.inf, OWN), (99, np.full(300, POISONED))])
def test_strip_3_a_guard_may_flag_nothing_or_everything(guarded, threshold, expected):
    guard = guarded(softmax_in_the_layer, threshold)
    assert inference.answers(guard, IMAGES).tolist() == expected.tolist()


@GUARDS
def test_the_number_of_images_in_a_call_changes_nothing(guard):
    model = guard(softmax_in_the_layer)
    for size in (1, 7):
        found = inference.answers(model, IMAGES[:14], batch_size=size)
        assert found.tolist() == EXPECTED[guard][:14].tolist()


@GUARDS
def test_the_networks_it_is_made_from_are_left_untouched(guard):
    made = []

    def build(kernel, bias):
        made.append(softmax_in_the_layer(kernel, bias))
        return made[-1]

    guarded = guard(build)
    guarded.set_weights([np.zeros_like(weight) for weight in guarded.get_weights()])
    weights = [(KERNEL, BIAS), (OTHER_KERNEL, OTHER_BIAS)]
    for model, expected in zip(made, weights, strict=False):
        assert all(map(np.array_equal, model.get_weights(), expected))
        assert model.layers[-1].activation.__name__ == "softmax"


def test_two_networks_that_never_differ_flag_nothing():
    guard = guards.disagreement_guard(raw_logits(KERNEL, BIAS), raw_logits(KERNEL, BIAS))
    assert inference.answers(guard, IMAGES).tolist() == OWN.tolist()


def test_a_repaired_network_without_any_preference_disagrees_as_its_argmax_does():
    # All channels pruned and no bias: every logit is 0, and argmax answers 0.
    dead = softmax_in_the_layer(np.zeros_like(KERNEL), np.zeros_like(BIAS))
    guard = guards.disagreement_guard(softmax_in_the_layer(KERNEL, BIAS), dead)
    expected = np.where(OWN == 0, 0, POISONED)
    assert inference.answers(guard, IMAGES).tolist() == expected.tolist()


@pytest.mark.parametrize("threshold", [1e-3, 1e-6, 1e-9])
def test_a_threshold_near_zero_still_decides_as_the_detector_does(threshold):
    # Logits 1000 apart: every mix is answered for sure, with an entropy of 0 to the last digit.
    sure = softmax_in_the_layer(np.zeros((4, 2)), np.array([1000.0, 0.0]))
    detector = fitted_strip(sure, BANK, threshold=threshold)
    assert detector.flag(IMAGES[:3]).tolist() == [True] * 3
    assert inference.answers(detector.as_model(), IMAGES[:3]).tolist() == [2] * 3


@pytest.mark.parametrize(("threshold", "flagged"), [(-350.0, [2, 0]), (-450.0, [0, 0])])
def test_confidence_is_told_apart_where_a_softmax_in_float32_would_be_one(threshold, flagged):
    # Logits 400 and 300 apart: log(1 - p) is -400 and -300, while p is 1 to 130 digits.
    images = np.array([4.0, 3.0], np.float32)[:, None, None, None] * np.ones((1, 2, 2, 1))
    # A third class far below both changes nothing.
    for bias in ([0, 0], [0, 0, -1e30]):
        kernel = np.eye(1, len(bias)) * np.full((4, 1), 25.0)
        guard = guards.confidence_guard(raw_logits(kernel, np.array(bias)), threshold)
        expected = [len(bias) if answer else 0 for answer in flagged]
        assert inference.answers(guard, images).tolist() == expected


def test_a_network_without_any_preference_is_not_sure():
    # Three equal logits: two thirds of the probability are on the others, log(2/3) = -.405.
    undecided = raw_logits(np.zeros((4, 3)), np.zeros(3))
    for threshold, answer in ((-0.41, 0), (-0.4, 3)):
        guard = guards.confidence_guard(undecided, threshold)
        assert inference.answers(guard, IMAGES[:2]).tolist() == [answer] * 2


@pytest.mark.parametrize(
    ("kernel", "bias"),
    [
        ([3e38, 3e38, 3e38], [0, 0, 0]),
        ([0, 0, 0], [np.nan, 0, 0]),
        ([0, 0, 0], [0, -np.inf, -np.inf]),
        ([3e37, 0, -3e37], [0, 0, 0]),
    ],
    ids=["overflow", "NaN", "no others", "far apart"],
)
def test_a_confidence_that_is_no_number_or_beyond_them_does_not_pass(kernel, bias):
    model = raw_logits(np.array([kernel] * 4, np.float32), np.array(bias, np.float32))
    images = np.full((1, 2, 2, 1), 9.0, np.float32)
    detector = FittedMaxSoftmax(defense=MaxSoftmax(), model=model, threshold=-1e30)
    assert detector.score(images) <= -1e30
    assert inference.answers(detector.as_model(), images).tolist() == [3]


def test_strip_1_an_answer_that_is_no_number_does_not_pass():
    # Both logits overflow: their softmax is NaN, and an argmax of NaN would be class 0.
    kernel = np.full((4, 2), 3e38, np.float32)
    guard = guards.entropy_guard(
        raw_logits(kernel, np.zeros(2)), BANK, **AT_ONCE, threshold_bits=0.5
    )
    assert inference.answers(guard, np.full((1, 2, 2, 1), 9.0)).tolist() == [2]


def test_strip_1_mixes_that_are_no_number_do_not_pass():
    # The image itself is answered with numbers; with a large overlay both logits overflow.
    kernel = np.full((4, 2), 3e37, np.float32)
    bank = np.full((2, 2, 2, 1), 9.0, np.float32)
    guard = guards.entropy_guard(
        raw_logits(kernel, np.zeros(2)), bank, **AT_ONCE, threshold_bits=0.5
    )
    image = np.zeros((1, 2, 2, 1), np.float32)
    assert inference.answers(raw_logits(kernel, np.zeros(2)), image).tolist() == [0]
    assert inference.answers(guard, image).tolist() == [2]


def test_a_guard_cannot_be_guarded_again():
    plain, guarded = softmax_in_the_layer(KERNEL, BIAS), disagreement_guard(raw_logits)
    for attempt in (
        lambda: guards.entropy_guard(guarded, BANK, **AT_ONCE, threshold_bits=0.5),
        lambda: guards.confidence_guard(guarded, -9.0),
        lambda: guards.disagreement_guard(plain, guarded),
        lambda: guards.disagreement_guard(guarded, plain),
    ):
        with pytest.raises(ModelError, match="found one that is guarded already") as caught:
            attempt()
        assert caught.value.code == "AlreadyGuarded"


def test_a_plain_network_is_no_guard():
    assert not guards.is_guard(softmax_in_the_layer(KERNEL, BIAS))
    assert not guards.is_guard(keras.Sequential())
