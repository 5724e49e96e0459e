"""Loops are announced; only an installed tracker draws them."""

from __future__ import annotations

import threading

import pytest

from badrepair.progress import track, using


def noting(seen):
    def tracker(items, label, total):
        for item in items:
            seen.append((label, item, total))
            yield item

    return tracker


def test_without_a_tracker_a_loop_passes_through_and_prints_nothing(capsys):
    assert list(track(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_nothing_is_read_ahead():
    endless = iter(int, 1)
    assert next(iter(track(endless, "zeros", 1))) == 0


def test_a_tracker_sees_every_item_with_label_and_total():
    seen = []
    with using(noting(seen)):
        assert list(track("ab", "letters", 2)) == ["a", "b"]
    assert seen == [("letters", "a", 2), ("letters", "b", 2)]


def test_after_the_block_nothing_is_drawn():
    seen = []
    with using(noting(seen)):
        pass
    list(track("ab", "letters", 2))
    assert seen == []


def test_after_a_failure_in_the_block_nothing_is_drawn():
    seen = []
    with pytest.raises(KeyError), using(noting(seen)):
        raise KeyError
    list(track("ab", "letters", 2))
    assert seen == []


def test_the_inner_of_two_trackers_draws_and_the_outer_one_goes_on_after_it():
    outer, inner = [], []
    with using(noting(outer)):
        with using(noting(inner)):
            list(track("a", "first", 1))
        list(track("b", "second", 1))
    assert (outer, inner) == ([("second", "b", 1)], [("first", "a", 1)])


def test_another_thread_draws_nothing():
    seen = []
    with using(noting(seen)):
        thread = threading.Thread(target=lambda: list(track("a", "elsewhere", 1)))
        thread.start()
        thread.join()
    assert seen == []
