"""A fitted detector decides by few overlays as by all, and says what it saw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fitted import fitted_strip
from readers import reader, showing, written

from badrepair import calibration
from badrepair.defenses.strip import Strip
from badrepair.models import inference
from badrepair.types import Dataset

CLASSES = 5


def mixed_images(count, seed):
    """Return images that show their class with strengths from 0 to 8: they differ in entropy."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    strengths = random.uniform(0, 8, (count, 1)) * np.eye(CLASSES)[labels]
    logits = strengths + random.normal(0, 1, (count, CLASSES))
    return Dataset(images=written(logits, random.random(count)), labels=labels)


@pytest.fixture(scope="module")
def fitted():
    return Strip(overlays=20, frr=0.05).fit(reader(CLASSES), mixed_images(400, 0))


@pytest.fixture(scope="module")
def fresh():
    return mixed_images(1000, 1).images


def test_it_was_learnt_when_to_stop(fitted):
    assert fitted.stages.looks.tolist() == [4, 6, 8, 12, 20]
    assert fitted.learning == 190
    assert len(fitted.calibration) == 190


def test_few_overlays_decide_as_the_score_of_all_does(fitted, fresh):
    scores = fitted.score(fresh)
    assert fitted.flag(fresh).tolist() == (scores < fitted.threshold).tolist()
    assert 0.02 < fitted.flag(fresh).mean() < 0.09


def test_few_overlays_decide_as_the_mean_of_all_does(fitted, fresh):
    exact = Strip(overlays=20, frr=0.05, exact=True).fit(reader(CLASSES), mixed_images(400, 0))
    assert np.mean(fitted.flag(fresh) == exact.flag(fresh)) >= 0.99
    means = exact.entropies(fresh).mean(axis=1)
    assert exact.flag(fresh).tolist() == (means < exact.threshold).tolist()
    assert set(exact.examine(fresh).overlays_used) == {20}


def test_the_overlays_that_it_looks_at_are_fewer_and_counted(fitted, fresh):
    used = fitted.examine(fresh).overlays_used
    assert used.mean() < 13
    assert set(used) <= set(fitted.stages.looks)
    assert used.tolist() == fitted.overlays_used(fitted.entropies(fresh)).tolist()


@pytest.fixture
def classified(fitted, monkeypatch):
    """Return a list to which the number of mixes of every call is added."""
    counts, entropies = [], fitted.superimposer.entropies

    def noted(prepared, first, last):
        counts.append(len(prepared) * (last - first))
        return entropies(prepared, first, last)

    monkeypatch.setattr(fitted.superimposer, "entropies", noted)
    return counts


def test_only_the_mixes_that_are_looked_at_are_classified(fitted, fresh, classified):
    looked_at = sum(fitted.examine(fresh).overlays_used)
    assert looked_at <= sum(classified) <= looked_at + 32
    assert sum(classified) < 0.7 * len(fresh) * len(fitted.overlays)


def test_for_a_single_image_one_call_looks_ahead(fitted, fresh, classified):
    seen = [fitted.examine(fresh[row : row + 1]) for row in range(30)]
    assert classified == [20] * 30
    together = fitted.examine(fresh[:30])
    assert [int(one.overlays_used[0]) for one in seen] == together.overlays_used.tolist()
    assert [bool(one.flagged[0]) for one in seen] == together.flagged.tolist()


def test_it_tells_the_answers_of_the_unguarded_network(fitted, fresh):
    answers = fitted.examine(fresh).answers
    assert answers.tolist() == inference.answers(reader(CLASSES), fresh).tolist()


def test_the_entropy_is_the_mean_where_all_overlays_were_looked_at(fitted, fresh):
    # In the middle of the scores there are images that stay in doubt until the end.
    middle = dataclasses.replace(fitted, threshold=float(np.median(fitted.score(fresh))))
    seen, means = middle.examine(fresh), middle.entropies(fresh).mean(axis=1)
    whole = seen.overlays_used == 20
    assert 20 < whole.sum() < 900
    np.testing.assert_allclose(seen.entropies[whole], means[whole], atol=1e-6)
    # Foretold from a part, it is near.
    assert np.corrcoef(seen.entropies, means)[0, 1] > 0.9


def test_a_p_value_is_small_exactly_where_an_image_is_flagged(fitted, fresh):
    seen = fitted.examine(fresh)
    assert ((seen.p_values <= 0.05) == seen.flagged).all()


def test_a_p_value_is_never_below_that_of_all_overlays(fitted, fresh):
    exact = calibration.p_values(fitted.calibration, fitted.score(fresh))
    assert (fitted.examine(fresh).p_values >= exact).all()
    for rate in (0.01, 0.05, 0.2):
        assert np.mean(fitted.examine(fresh).p_values <= rate) <= rate + 0.04


def test_blocks_of_any_size_make_no_difference(fresh):
    defenses = [Strip(overlays=20, frr=0.05, batch_size=size) for size in (7, 64)]
    found = [one.fit(reader(CLASSES), mixed_images(400, 0)) for one in defenses]
    small, large = (detector.examine(fresh[:100]) for detector in found)
    assert small.flagged.tolist() == large.flagged.tolist()
    np.testing.assert_allclose(small.entropies, large.entropies, atol=1e-5)


def test_no_images_are_examined_to_nothing(fitted):
    seen = fitted.examine(np.empty((0, 1, 1, CLASSES + 1), np.float32))
    assert [len(values) for values in vars(seen).values()] == [0] * 5


def test_an_overlay_as_an_image_is_left_out_of_its_own_looks(fitted):
    entropies = fitted.entropies(fitted.overlays[:3])
    assert np.isnan(entropies).tolist() == np.eye(20, dtype=bool)[:3].tolist()
    seen = fitted.examine(fitted.overlays)
    assert seen.flagged.tolist() == (fitted.score(fitted.overlays) < fitted.threshold).tolist()


def test_an_overlay_behind_images_that_are_decided_is_left_out_of_its_own_looks(fitted, fresh):
    # The first images are decided at the first look; the overlays behind them go on.
    quick = fresh[fitted.examine(fresh).overlays_used == 4][:30]
    images = np.concatenate([quick, fitted.overlays])
    middle = dataclasses.replace(fitted, threshold=float(np.median(fitted.score(images))))
    seen = middle.examine(images)
    assert seen.flagged.tolist() == (middle.score(images) < middle.threshold).tolist()
    whole = np.flatnonzero(seen.overlays_used == 20)
    assert any(whole >= 30)
    means = np.nanmean(middle.entropies(images), axis=1)
    np.testing.assert_allclose(seen.entropies[whole], means[whole], atol=1e-6)


def test_an_image_whose_own_answer_is_no_number_counts_as_the_surest():
    # Its logits overflow; half of them, as in its mixes, do not.
    overflowing = written([[3e38, 3e38, 0, 0]])
    model = reader(4)
    model.layers[-1].set_weights([2 * np.eye(5, 4)])
    overlays = showing(range(4), 4, numbers=[100, 101, 102, 103])
    detector = fitted_strip(model, overlays, (0.25, 0.25), threshold=0.1)
    assert detector.superimposer.entropies(detector.superimposer.prepared(overflowing), 0, 1) > 0.9
    assert detector.score(overflowing).tolist() == [0]
    assert detector.flag(overflowing).tolist() == [True]
    seen = detector.examine(overflowing)
    assert (seen.flagged.tolist(), seen.entropies.tolist()) == ([True], [0])
    assert inference.answers(detector.as_model(), overflowing).tolist() == [4]


def test_the_guarded_network_decides_as_the_staged_detector(fitted):
    images = mixed_images(1000, 2).images
    seen = fitted.examine(images)
    expected = np.where(seen.flagged, CLASSES, seen.answers)
    assert inference.answers(fitted.as_model(), images, batch_size=50).tolist() == expected.tolist()
    # Stages that go astray at once show that it follows them, and not the mean alone.
    stages = dataclasses.replace(fitted.stages, above=0 * fitted.stages.above)
    astray = dataclasses.replace(fitted, stages=stages)
    other = astray.flag(images)
    assert np.mean(other != seen.flagged) > 0.02
    answers = inference.answers(astray.as_model(), images, batch_size=50)
    assert (answers == CLASSES).tolist() == other.tolist()


@pytest.mark.parametrize("overlays", [9, 20])
def test_a_trojaned_image_is_flagged_after_the_first_look(overlays):
    detector = Strip(overlays=overlays, frr=0.05).fit(reader(CLASSES), mixed_images(400, 0))
    detector = dataclasses.replace(
        detector, stages=dataclasses.replace(detector.stages, above=0 * detector.stages.above)
    )
    seen = detector.examine(showing([2], CLASSES, strength=1000.0))
    assert (seen.flagged.tolist(), seen.overlays_used.tolist()) == ([True], [4])


def test_only_images_beyond_the_range_of_the_overlays_are_answered_for_that(fitted, monkeypatch):
    asked = []
    answers = fitted.superimposer.answers

    def noted(images):
        asked.append(len(images))
        return answers(images)

    monkeypatch.setattr(fitted.superimposer, "answers", noted)
    largest = np.abs(fitted.overlays).max()
    images = np.zeros((5, 1, 1, CLASSES + 1), np.float32)
    images[:, 0, 0, 0] = [largest, -largest, 1.01 * largest, -1.01 * largest, np.nan]
    fitted.flag(images)
    assert asked == [3]
    fitted.flag(images[:2])
    assert asked == [3]
