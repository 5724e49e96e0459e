"""How many images are changed, and which."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.poisoning import chosen, how_many


@pytest.mark.parametrize(
    ("rate", "total", "candidates", "expected"),
    [
        (0.1, 80, 60, 8),
        (0.1, 84, 60, 8),  # 8.4
        (0.1, 86, 60, 9),  # 8.6
        (0.5, 80, 20, 20),
        (0.0, 80, 20, 0),
        (1.0, 80, 80, 80),
        (0.5, 80, 0, 0),
    ],
)
def test_a_rate_is_a_share_of_all_images_as_far_as_there_are_candidates(
    rate, total, candidates, expected
):
    assert how_many(rate, total, np.arange(candidates)) == expected


def test_different_rows_of_the_candidates_are_chosen():
    candidates = np.arange(100, 200)
    rows = chosen(candidates, 50, 0)
    assert len(set(rows.tolist())) == 50
    assert set(rows.tolist()) <= set(candidates.tolist())


def test_all_candidates_can_be_chosen_and_none():
    assert sorted(chosen(np.array([3, 5, 9]), 3, 0).tolist()) == [3, 5, 9]
    assert chosen(np.array([3, 5, 9]), 0, 0).tolist() == []


def test_the_seed_fixes_the_choice_and_the_world_does_not():
    candidates = np.arange(100)
    np.random.seed(1)  # noqa: NPY002
    first = chosen(candidates, 10, 3)
    np.random.seed(2)  # noqa: NPY002
    assert chosen(candidates, 10, 3).tolist() == first.tolist()
    assert chosen(candidates, 10, 4).tolist() != first.tolist()
    assert chosen(candidates, 10, [3, 1]).tolist() != first.tolist()


def test_the_choice_is_the_one_that_published_figures_rest_on():
    candidates = np.array([0, 2, 4, 6, 8, 10])
    expected = np.random.default_rng(0).choice(candidates, 3, replace=False)
    assert chosen(candidates, 3, 0).tolist() == expected.tolist() == [8, 10, 6]
