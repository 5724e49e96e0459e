"""How many images a call takes is found out once, and remembered."""

from __future__ import annotations

import json

import pytest

from badrepair.models import call_size


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "badrepair" / "call-sizes.json"


@pytest.fixture
def clock(monkeypatch):
    """Return a function that lets calls take so many seconds, by their size."""
    now, sizes = [0.0], []

    def run_taking(seconds):
        def run(size):
            sizes.append(size)
            now[0] += seconds(size)

        return run

    monkeypatch.setattr(call_size.time, "perf_counter", lambda: now[0])
    run_taking.sizes = sizes
    return run_taking


def test_the_size_is_the_one_behind_which_larger_calls_gain_nothing(cache, clock):
    # An image costs 1, a call 20: 1.8, 1.4, 1.2, 1.1, 1.05 an image; the last is 95.4 % of 1.1.
    assert call_size.best_call_size("work", clock(lambda size: (20 + size) * 1e-5)) == 200


def test_a_larger_size_can_gain_where_one_between_did_not(cache, clock):
    taken = {25: 2.5e-4, 50: 5e-4, 100: 9.6e-4, 200: 1.6e-3, 400: 3.2e-3}
    assert call_size.best_call_size("work", clock(taken.get)) == 200


def test_a_call_that_takes_long_ends_the_search(cache, clock):
    assert call_size.best_call_size("work", clock(lambda size: (20 + size) / 200)) == 100
    assert max(clock.sizes) == 100


def test_other_work_that_comes_and_goes_does_not_mislead(cache, clock):
    calls = iter(range(10_000))
    run = clock(lambda size: (20 + size) * 1e-5 * (10 if next(calls) % 7 else 1))
    assert call_size.best_call_size("work", run) == 200


def test_the_answer_is_remembered_and_nothing_is_tried_again(cache, clock):
    first = call_size.best_call_size("work", clock(lambda size: (20 + size) * 1e-5))
    tried = len(clock.sizes)
    assert call_size.best_call_size("work", clock(lambda size: size**2 * 1e-7)) == first
    assert len(clock.sizes) == tried
    assert list(json.loads(cache.read_text()).values()) == [first]


def test_other_work_has_an_answer_of_its_own(cache, clock):
    assert call_size.best_call_size("work", clock(lambda size: (20 + size) * 1e-5)) == 200
    assert call_size.best_call_size("other", clock(lambda size: size**2 * 1e-7)) == 25


@pytest.mark.parametrize(
    "content", [b"", b"no json", b"[1, 2]", b'{"a": "b"}', b"[" * 10_000, b" " * (2**20 + 1)]
)
def test_a_damaged_memory_is_no_memory(cache, clock, content):
    cache.parent.mkdir()
    cache.write_bytes(content)
    assert call_size.best_call_size("work", clock(lambda size: size**2 * 1e-7)) == 25
    assert 25 in json.loads(cache.read_text()).values()


def test_a_remembered_size_that_nobody_would_try_is_not_believed(cache, clock):
    call_size.best_call_size("work", clock(lambda size: (20 + size) * 1e-5))
    key = next(iter(json.loads(cache.read_text())))
    cache.write_text(json.dumps({key: 10**9}))
    assert call_size.best_call_size("work", clock(lambda size: size**2 * 1e-7)) == 25


def test_a_cache_that_cannot_be_written_costs_the_memory_only(tmp_path, monkeypatch, clock):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert call_size.best_call_size("work", clock(lambda size: size**2 * 1e-7)) == 25
