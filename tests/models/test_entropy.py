"""Entropies come from logits, and nothing in them saturates."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.models.entropy import entropy_bits


def test_an_entropy_does_not_vanish_where_float32_rounds_the_answer_to_one():
    # With k others d nats below, log(1 + S) is S = k exp(-d), and the others add d * S. In float64
    # 1 - p would be 0 for d = 80 already.
    logits = np.array([[30.0, 0, 0], [80, 0, -80]], np.float32)
    expected = np.array([2 * 31 * np.exp(-30), 81 * np.exp(-80)]) / np.log(2)
    np.testing.assert_allclose(entropy_bits(logits), expected, rtol=1e-4)


def test_equal_logits_share_the_answer():
    logits = np.array([[5.0, 5, 5, 5], [7, 7, -1e4, -1e4]], np.float32)
    np.testing.assert_allclose(entropy_bits(logits), [2, 1], rtol=1e-6)


def test_an_answer_that_is_no_number_has_no_entropy():
    infinite, nothing = np.inf, np.nan
    logits = [[nothing, 0, 0], [infinite, 0, 0], [infinite, infinite, 0], [nothing] * 3]
    assert entropy_bits(np.float32(logits)).numpy().tolist() == [0] * 4
    lost = np.float32([[-infinite, 0, 0]])
    assert entropy_bits(lost).numpy().tolist() == pytest.approx([1])
