"""A deadline passes when its minutes are over."""

from __future__ import annotations

import math
import time

from badrepair.mending import deadline
from badrepair.mending.deadline import Deadline


def test_it_passes_after_its_minutes(monkeypatch):
    end, began = Deadline(minutes=2), time.monotonic()
    now = [began + 119]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: now[0])
    assert not end.passed
    assert math.isclose(end.left, 1 / 60, abs_tol=1e-3)
    now[0] += 1
    assert end.passed


def test_infinity_never_passes():
    assert not Deadline(minutes=math.inf).passed
