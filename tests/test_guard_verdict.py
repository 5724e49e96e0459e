"""The verdict on a guard says what was measured, grades it by the interval, and names the rest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from badrepair import metrics
from badrepair.guard_verdict import (
    BLIND_SPOTS,
    NOT_MEASURED,
    false_rejections,
    grade,
    guard_verdict,
    steady_answers,
)
from badrepair.types import AttackRow, CleanRow, DetectionReport, DetectionRow, Estimate, Report

TEN = 10
VARIED = np.full(400, 1.5)


def rate(hits, n):
    return metrics.rate(np.arange(n) < hits)


def row(name="patch", caught=15, of=357, *, detector="STRIP", auroc=(0.557, 0.516, 0.598)):
    """Return how a detector sees a trigger; of no images it works on, `of` is 0."""
    missed = rate(of - caught, of)
    return DetectionRow(
        name=name,
        detector=detector,
        false_rejection_rate=rate(2, 397),
        false_acceptance_rate=missed if of else rate(1, 1),
        false_acceptance_rate_of_successful=missed,
        true_positive_rate_at_1=None,
        true_positive_rate_at_5=None,
        auroc=None if auroc is None else Estimate(*auroc),
    )


def report(*rows, rejected=(2, 397), success=None, entropies=VARIED):
    """Return a report; triggers work on all of 357 images unless `success` says on how many."""
    detectors = dict.fromkeys([*(each.detector for each in rows), "STRIP"])
    ordered = sorted(detectors, key=lambda name: name != "STRIP")
    attacks = tuple(
        AttackRow(
            name=name,
            attack_success_rate=rate(357 if success is None else success, 357),
            detection_rate=None,
            recovered_accuracy=None,
        )
        for name in dict.fromkeys(each.name for each in rows)
    )
    clean = CleanRow(accuracy=rate(390, 397), false_rejection_rate=None)
    before = Report(classes=TEN, clean=clean, attacks=attacks)
    return DetectionReport(
        false_rejection_rates=dict.fromkeys(ordered, rate(*rejected) if rejected else None),
        rows=rows,
        before=before,
        guarded=before,
        scores={"clean": entropies, "poisoned": {}},
    )


def said(found, **settings):
    given = {"frr": 0.01, "calibration": "conformal", "calibrated_on": 400, **settings}
    return guard_verdict(found, **given)


def test_a_guard_that_misses_a_trigger_is_called_none():
    # 15 of 357 is 4.20 %; Wilson's interval of 4.2017 % of 357 is 2.56 to 6.82 %.
    assert said(report(row())) == (
        "STRIP catches 4.20 % [2.6, 6.8] of the 357 images on which patch works, at 0.50 % false"
        " rejections: it does not guard against this trigger",
        "triggers other than patch were not measured",
        BLIND_SPOTS,
    )


@pytest.mark.parametrize(
    ("caught", "of", "words"),
    [
        (357, 357, "it guards against this trigger"),
        (335, 357, "it guards against this trigger"),  # 93.8 %, from 90.9 %
        (330, 357, "it guards against this trigger at least in part"),  # 92.4 %, from 89.2 %
        (250, 357, "it guards against this trigger only in part"),  # 65.1 to 74.5 %
        (178, 357, "it guards against this trigger in part at most"),  # 44.7 to 55.0 %
        (150, 357, "it does not guard against this trigger"),  # up to 47.2 %
        (0, 357, "it does not guard against this trigger"),
        (4, 5, "too few images (n = 5) to say whether it guards against this trigger"),
        (1, 1, "too few images (n = 1) to say whether it guards against this trigger"),
    ],
)
def test_a_guard_is_graded_by_the_interval_and_not_by_the_value(caught, of, words):
    assert grade(rate(caught, of)) == words
    assert said(report(row(caught=caught, of=of)))[0].endswith(grade(rate(caught, of)))


def test_a_trigger_that_does_not_work_proves_nothing():
    for found in (report(row(of=0, caught=0), success=0), report(row(of=30), success=30)):
        sentence, *rest = said(found)
        assert sentence.startswith("patch does not work on the unguarded model: ")
        assert sentence.endswith("so what STRIP catches of them proves nothing")
        assert not any("guards against" in other for other in rest)
    assert "8.40 % of 357 images get the attacker's target" in sentence


def test_a_trigger_that_works_on_every_ninth_image_is_judged():
    assert "of the 40 images on which patch works" in said(report(row(of=40), success=40))[0]


@pytest.mark.parametrize(
    ("caught", "floor_caught", "floor_area", "words"),
    [
        # Thresholds that differ decide, whatever the orders say.
        (357, 15, (0.99, 0.98, 0.995), "STRIP is better than looking at the confidence alone"),
        (15, 357, (0.1, 0.05, 0.2), "STRIP is worse than looking at the confidence alone"),
        # 15 and 20 of 357 overlap: the orders decide.
        (15, 20, (0.56, 0.52, 0.6), "STRIP is no better than looking at the confidence alone"),
        (15, 20, (0.54, 0.50, 0.58), "STRIP is no better than looking at the confidence alone"),
        (15, 20, (0.40, 0.36, 0.44), "STRIP is better than looking at the confidence alone"),
        (15, 20, (0.80, 0.76, 0.84), "STRIP is worse than looking at the confidence alone"),
        (15, 20, None, "STRIP is no better than looking at the confidence alone"),
    ],
)
def test_strip_is_compared_with_the_floor(caught, floor_caught, floor_area, words):
    floor = row(detector="max-softmax", caught=floor_caught, auroc=floor_area)
    sentence = said(report(row(caught=caught), floor))[1]
    assert sentence.startswith(words)
    assert "at 0.50 % false rejections" in sentence
    assert (f"(AUROC 0.557 against {floor_area[0]:.3f})" in sentence) if floor_area else True


def test_the_floor_of_a_trigger_is_that_of_the_same_trigger():
    rows = [row(), row("blend", caught=300), row("blend", caught=10, detector="max-softmax")]
    sentences = said(report(*rows))
    assert [text.split(" looking")[0] for text in sentences if "confidence alone" in text] == [
        "STRIP is better than"
    ]
    assert "triggers other than patch, blend were not measured" in sentences


def test_without_poisoned_images_nothing_is_claimed_of_them():
    assert said(report()) == (NOT_MEASURED, BLIND_SPOTS)


def test_a_trigger_whose_images_do_not_count_was_not_measured():
    sentences = said(report(row()), asked=["patch", "sticker"])
    assert (
        "how many inputs with sticker it catches was not measured: none of its images counts"
        in sentences
    )
    assert not any(text.startswith("how many inputs with patch") for text in sentences)
    assert NOT_MEASURED not in said(report(), asked=["sticker"])


def test_false_rejections_within_the_promise_need_no_word():
    assert false_rejections(rate(4, 397), 0.01, "conformal", 400) == ()
    # 7 of 397 is 1.76 %, and Wilson's interval of it starts at .86 %; that of 8 at 1.02 %.
    assert false_rejections(rate(7, 397), 0.01, "pac", 400) == ()
    assert false_rejections(rate(8, 397), 0.01, "pac", 400) != ()


def test_a_broken_promise_is_named_with_its_likely_cause():
    (sentence,) = false_rejections(rate(40, 397), 0.01, "conformal", 400)
    assert sentence == (
        "10.08 % [7.5, 13.4] of the 397 clean test images are flagged, more than the 1.00 % that"
        " were agreed to: the promise does not hold here, most likely because these images are not"
        " of the kind that calibrated (another source, or drift)"
    )
    assert "drift" in false_rejections(rate(40, 397), 0.01, "pac", 400)[0]


def test_few_calibration_images_may_be_off_by_chance_without_any_drift():
    # Of 99 calibration images one threshold flags Beta(1, 99): 3 % or more in 4.9 % of all cases.
    found = rate(300, 10_000)
    (sentence,) = false_rejections(found, 0.01, "conformal", 99)
    assert sentence.endswith(
        "which 99 calibration images can be off by chance: give more --clean, or use"
        " --calibration pac"
    )
    assert "drift" in false_rejections(found, 0.01, "conformal", 9999)[0]
    # What is promised with confidence is not off by chance.
    assert "drift" in false_rejections(found, 0.01, "pac", 299)[0]


@pytest.mark.parametrize("kind", ["normal", "empirical"])
def test_what_promised_nothing_has_broken_no_promise(kind):
    (sentence,) = false_rejections(rate(40, 397), 0.01, kind, 400)
    assert sentence.endswith(f"that were agreed to: {kind} calibration promises nothing")


def test_false_rejections_that_were_not_measured_say_so():
    (sentence,) = false_rejections(None, 0.01, "conformal", 400)
    assert "not measured" in sentence
    assert sentence in said(report(rejected=None))


def test_false_rejections_stand_in_the_verdict():
    assert any("drift" in text for text in said(report(rejected=(40, 397))))


def test_clean_images_that_hardly_change_leave_little_to_go_by():
    # A tenth of log2(10) = 3.3219 bits is .332.
    entropies = np.array([0.0, 0.24, 3.0])
    (sentence,) = steady_answers(entropies)
    assert sentence == (
        "clean images hardly change their answers either (their median entropy is 0.24 bits, and"
        " an answer torn between two classes has 1): STRIP has little to go by"
    )
    assert steady_answers(np.array([0.0, 0.25, 3.0])) == ()
    assert steady_answers(np.empty(0)) == ()
    assert sentence in said(report(entropies=entropies))


def test_the_sentences_end_without_a_full_stop_and_fit_into_a_line_or_three():
    floor = row(detector="max-softmax")
    found = report(row(), floor, rejected=(40, 397), entropies=np.zeros(9))
    for sentence in said(found, asked=["patch", "sticker"]):
        assert not sentence.endswith(".")
        assert len(sentence) <= 240


def test_a_detection_without_false_rejections_names_no_price():
    bare = dataclasses.replace(row(), false_rejection_rate=None)
    assert "false rejections" not in said(report(bare))[0]
