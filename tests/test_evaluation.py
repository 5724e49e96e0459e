"""Reports count what should count, worked out by hand on networks that answer what is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from readers import reader, showing

from badrepair.errors import DataError
from badrepair.evaluation import against, evaluate, evaluate_detector, problem_classes
from badrepair.models import guards
from badrepair.types import Dataset

CLASSES, POISONED = 3, 3
# What the images hold where the model answers class k, and the score of `Scores` beside it.
LOW, HIGH = 0.0, 1.0


def answered(answers, labels, true_labels=None, *, scores=None, classes=CLASSES + 1, name="patch"):
    """Return a data set to whose images `reader(classes)` gives these answers."""
    return Dataset(
        images=showing(answers, classes, scores),
        labels=np.array(labels),
        true_labels=None if true_labels is None else np.array(true_labels),
        name=name,
    )


@dataclass(frozen=True)
class Scores:
    """A detector whose score of an image stands in its last channel."""

    threshold: float = 0.5
    name: str = "STRIP"

    def score(self, images):
        return images[:][:, 0, 0, -1].astype(np.float64)


@dataclass(frozen=True)
class Opposite(Scores):
    """A floor that finds suspicious what the detector does not."""

    name: str = "floor"

    def score(self, images):
        return 1 - super().score(images)


@pytest.fixture(scope="module")
def rejecting():
    """Return a network of four outputs, of which the last means "poisoned"."""
    return reader(CLASSES + 1)


@pytest.fixture(scope="module")
def plain():
    return reader(CLASSES)


def test_strip_9_a_clean_image_answered_n_is_wrong_and_a_false_rejection(rejecting):
    clean = answered([0, 1, 2, 0, 1, 2, 0, 1, 0, POISONED], [0, 1, 2, 0, 1, 2, 0, 1, 2, 2])
    report = evaluate(rejecting, clean, classes=CLASSES)
    assert report.classes == 3
    assert report.clean.accuracy.value == 0.8
    assert report.clean.false_rejection_rate.value == 0.1
    assert report.attacks == ()


def test_strip_12_every_rate_has_its_n_and_its_interval(rejecting):
    clean = answered([0] * 8 + [1, 2], [0] * 10)
    poisoned = answered([0] * 8 + [1, POISONED], [0] * 10, [1] * 10)
    report = evaluate(rejecting, clean, [poisoned], classes=CLASSES)
    for rate in (report.clean.accuracy, report.attacks[0].attack_success_rate):
        assert (rate.value, rate.n) == (0.8, 10)
        assert (rate.low, rate.high) == pytest.approx((0.490163, 0.943318), abs=1e-6)
    for rate in (report.attacks[0].detection_rate, report.attacks[0].recovered_accuracy):
        assert (rate.value, rate.n) == (0.1, 10)


def test_a_poisoned_image_answered_n_is_caught(rejecting):
    poisoned = answered([0, POISONED, POISONED, 2], [0] * 4, [1, 1, 2, 2])
    row = evaluate(rejecting, None, [poisoned], classes=CLASSES).attacks[0]
    assert row.name == "patch"
    assert row.attack_success_rate.value == 0.25
    assert row.detection_rate.value == 0.5
    assert row.recovered_accuracy.value == 0.25


def test_images_whose_true_label_is_the_target_do_not_count(plain):
    poisoned = answered([0, 0, 0, 1], [0] * 4, [0, 0, 2, 1], classes=CLASSES)
    row = evaluate(plain, None, [poisoned]).attacks[0]
    assert (row.attack_success_rate.value, row.attack_success_rate.n) == (0.5, 2)
    assert row.recovered_accuracy.value == 0.5


def test_all_images_count_where_true_labels_are_unknown(plain):
    row = evaluate(plain, None, [answered([0, 0, 0, 1], [0] * 4, classes=CLASSES)]).attacks[0]
    assert (row.attack_success_rate.value, row.attack_success_rate.n) == (0.75, 4)
    assert row.recovered_accuracy is None


def test_a_model_of_n_outputs_has_no_rejections(plain):
    clean = answered([0, 1], [0, 1], classes=CLASSES)
    poisoned = answered([0, 1], [0, 0], classes=CLASSES)
    report = evaluate(plain, clean, [poisoned])
    assert report.clean.false_rejection_rate is None
    assert report.attacks[0].detection_rate is None


def test_what_is_not_given_is_not_measured(plain):
    report = evaluate(plain)
    assert report.clean is None
    assert report.attacks == ()


def test_every_trigger_has_its_row_in_order(plain):
    sets = [answered([0], [0], classes=CLASSES, name=name) for name in ("b", "a", "c")]
    assert [row.name for row in evaluate(plain, None, sets).attacks] == ["b", "a", "c"]


def test_der_compares_with_the_baseline_by_hand(plain, rejecting):
    before = evaluate(
        plain,
        answered([0, 1, 2, 0], [0, 1, 2, 0], classes=CLASSES),
        [answered([0] * 4, [0] * 4, [1] * 4, classes=CLASSES)],
    )
    # Success falls from 1 to 1/4, accuracy from 1 to 3/4: (3/4 - 1/4 + 1) / 2.
    after = evaluate(
        rejecting,
        answered([0, 1, 2, POISONED], [0, 1, 2, 0]),
        [answered([0, 1, POISONED, 2], [0] * 4, [1] * 4)],
        baseline=before,
        classes=CLASSES,
    )
    assert before.attacks[0].defense_effectiveness is None
    assert after.attacks[0].defense_effectiveness == 0.75


def test_der_is_left_out_where_one_side_was_not_measured(plain):
    clean = answered([0, 1], [0, 1], classes=CLASSES)
    patch, sticker = (answered([0], [0], classes=CLASSES, name=name) for name in ("p", "s"))
    report = evaluate(plain, clean, [patch, sticker])
    other = evaluate(plain, clean, [patch])
    assert [row.defense_effectiveness for row in against(report, other).attacks] == [0.5, None]
    unmeasured = replace(other, clean=None)
    assert against(report, unmeasured).attacks[0].defense_effectiveness is None
    assert against(unmeasured, report).attacks[0].defense_effectiveness is None


def test_the_number_of_classes_is_told_by_our_guards_or_by_the_user(plain, rejecting):
    guarded = guards.disagreement_guard(plain, plain)
    assert problem_classes(plain) == 3
    assert problem_classes(guarded) == 3
    assert problem_classes(rejecting) == 4
    assert problem_classes(rejecting, 3) == 3
    assert problem_classes(rejecting, 4) == 4


@pytest.mark.parametrize("classes", [2, 5])
def test_a_model_of_another_problem_is_refused(rejecting, classes):
    with pytest.raises(DataError, match=f"expected {classes} outputs, .* found 4") as caught:
        evaluate(rejecting, classes=classes)
    assert caught.value.code == "ClassesMismatch"


def detected(plain, clean_scores, scores, answers, *, threshold=0.5, true_labels=None, floor=None):
    """Return the detection report of clean and poisoned images with the target 0."""
    n = len(clean_scores)
    clean = answered([1] * n, [1] * n, scores=clean_scores, classes=CLASSES, name="clean")
    poisoned = answered(answers, [0] * len(answers), true_labels, scores=scores, classes=CLASSES)
    return evaluate_detector(Scores(threshold), plain, clean, [poisoned], floor=floor)


def test_strip_4_false_rejections_are_measured_on_the_images_given(plain):
    report = detected(plain, [LOW, HIGH, HIGH, HIGH], [LOW], [0])
    assert (report.false_rejection_rate.value, report.false_rejection_rate.n) == (0.25, 4)
    assert report.scores["clean"].tolist() == [LOW, HIGH, HIGH, HIGH]


def test_strip_5_and_11_acceptance_is_told_on_all_and_on_successful_attacks(plain):
    # Missed: the 1st, 3rd and 5th. The attack works on the 2nd, 4th and 5th.
    report = detected(plain, [HIGH], [HIGH, LOW, HIGH, LOW, HIGH], [1, 0, 2, 0, 0])
    row = report.rows[0]
    assert (row.false_acceptance_rate.value, row.false_acceptance_rate.n) == (0.6, 5)
    assert row.false_acceptance_rate_of_successful.value == pytest.approx(1 / 3)
    assert row.false_acceptance_rate_of_successful.n == 3
    assert report.scores["poisoned"]["patch"].tolist() == [HIGH, LOW, HIGH, LOW, HIGH]


def test_strip_2_a_detector_that_sees_everything_has_an_auroc_of_one(plain):
    assert detected(plain, [0.8, 0.9], [0.1, 0.2], [0, 0]).rows[0].auroc.value == 1
    assert detected(plain, [0.1, 0.2], [0.8, 0.9], [0, 0]).rows[0].auroc.value == 0


def test_strip_3_a_detector_that_flags_nothing_accepts_everything(plain):
    report = detected(plain, [LOW, HIGH], [LOW, LOW], [0, 0], threshold=-np.inf)
    assert report.false_rejection_rate.value == 0
    assert report.rows[0].false_acceptance_rate.value == 1
    assert report.guarded.attacks[0].attack_success_rate.value == 1
    assert report.guarded.attacks[0].detection_rate.value == 0


def test_strip_3_a_detector_that_flags_everything_accepts_nothing(plain):
    report = detected(plain, [LOW, HIGH], [LOW, LOW], [0, 0], threshold=np.inf)
    assert report.false_rejection_rate.value == 1
    assert report.rows[0].false_acceptance_rate.value == 0
    assert report.guarded.clean.accuracy.value == 0


def test_strip_9_the_guarded_row_counts_flagged_images_as_n(plain):
    report = detected(plain, [LOW, HIGH, HIGH, HIGH], [LOW, HIGH], [0, 0], true_labels=[1, 1])
    assert report.before.clean.accuracy.value == 1
    assert report.before.attacks[0].attack_success_rate.value == 1
    assert report.guarded.clean.accuracy.value == 0.75
    assert report.guarded.clean.false_rejection_rate.value == 0.25
    assert report.guarded.attacks[0].attack_success_rate.value == 0.5
    assert report.guarded.attacks[0].detection_rate.value == 0.5
    # Success falls by 1/2, accuracy by 1/4: (1/2 - 1/4 + 1) / 2.
    assert report.guarded.attacks[0].defense_effectiveness == 0.625


def test_a_detector_too_is_not_measured_on_images_of_the_target(plain):
    report = detected(plain, [HIGH], [LOW, LOW, HIGH], [0, 0, 0], true_labels=[0, 0, 1])
    assert (report.rows[0].false_acceptance_rate.value, report.rows[0].auroc.value) == (1, 0.5)
    assert report.rows[0].false_acceptance_rate.n == 1


def test_a_floor_is_measured_on_the_same_images_row_by_row(plain):
    report = detected(plain, [LOW, HIGH, HIGH, HIGH], [LOW, LOW, HIGH], [0, 0, 0], floor=Opposite())
    assert [(row.name, row.detector) for row in report.rows] == [
        ("patch", "STRIP"),
        ("patch", "floor"),
    ]
    accepted = [row.false_acceptance_rate.value for row in report.rows]
    assert accepted == pytest.approx([1 / 3, 2 / 3])
    rejected = {name: rate.value for name, rate in report.false_rejection_rates.items()}
    assert rejected == {"STRIP": 0.25, "floor": 0.75}
    assert [row.false_rejection_rate.value for row in report.rows] == [0.25, 0.75]
    assert (report.detector, report.false_rejection_rate.value) == ("STRIP", 0.25)
    assert report.scores["poisoned"]["patch"].tolist() == [LOW, LOW, HIGH]
    assert report.floor_scores["clean"].tolist() == [HIGH, LOW, LOW, LOW]
    assert report.floor_scores["poisoned"]["patch"].tolist() == [HIGH, HIGH, LOW]
    # It is the detector under test that guards.
    assert report.guarded.clean.false_rejection_rate.value == 0.25


def test_rows_stand_set_by_set_with_the_floor_below_the_detector(plain):
    clean = answered([1], [1], scores=[HIGH], classes=CLASSES)
    sets = [
        answered([0], [0], scores=[LOW], classes=CLASSES, name=name) for name in ("b", "a", "c")
    ]
    empty = answered([0], [0], [0], scores=[LOW], classes=CLASSES, name="counts nothing")
    report = evaluate_detector(Scores(), plain, clean, [*sets, empty], floor=Opposite())
    assert [(row.name, row.detector) for row in report.rows] == [
        *(("b", "STRIP"), ("b", "floor")),
        *(("a", "STRIP"), ("a", "floor")),
        *(("c", "STRIP"), ("c", "floor")),
    ]
    assert (
        list(report.scores["poisoned"]) == list(report.floor_scores["poisoned"]) == ["b", "a", "c"]
    )


def test_without_a_floor_or_poisoned_images_the_false_rejections_are_still_measured(plain):
    clean = answered([1] * 4, [1] * 4, scores=[LOW, HIGH, HIGH, HIGH], classes=CLASSES)
    report = evaluate_detector(Scores(), plain, clean)
    assert report.rows == ()
    assert {name: rate.value for name, rate in report.false_rejection_rates.items()} == {
        "STRIP": 0.25
    }
    assert report.floor_scores == {}
    both = evaluate_detector(Scores(), plain, clean, floor=Opposite())
    assert both.false_rejection_rates["floor"].value == 0.75
    assert both.floor_scores["poisoned"] == {}
