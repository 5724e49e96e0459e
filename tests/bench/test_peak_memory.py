"""The peak of memory: since when it is counted, and what where the system tells none."""

from __future__ import annotations

from badrepair.bench.peak_memory import forget_peak, peak_mib


def test_the_peak_is_counted_from_a_moment_on():
    forget_peak()
    start = peak_mib()
    block = bytearray(b"1") * (100 * 2**20)
    high = peak_mib()
    del block
    forget_peak()
    assert 95 < high - start < 115
    assert peak_mib() < high - 90


def test_a_system_that_tells_no_peak_is_not_asked_twice(monkeypatch, tmp_path):
    monkeypatch.setattr("badrepair.bench.peak_memory.PROCESS", tmp_path / "nowhere")
    forget_peak()
    assert peak_mib() is None
