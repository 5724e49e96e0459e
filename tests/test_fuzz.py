"""The fuzzer finds what is wrong, repeats its cases, and finds nothing in half a minute."""

from __future__ import annotations

import pytest
from fuzz import Fuzzer, changed

SECONDS = 30


def test_a_case_changes_a_file_in_one_way_only():
    content = bytes(range(256)) * 4
    made = [changed(content, case) for case in range(200)]
    assert made == [changed(content, case) for case in range(200)]
    assert all(one != content for one in made[:20])
    assert len(set(made)) > 190


@pytest.fixture
def fuzzer(tmp_path):
    fuzzer = Fuzzer(tmp_path, tmp_path / "kept")
    yield fuzzer
    fuzzer.worker.stop()


@pytest.mark.slow
def test_half_a_minute_of_spoilt_files_finds_nothing(fuzzer):
    fuzzer.run(first=0, seconds=SECONDS)
    assert fuzzer.failures == {}
    assert sum(fuzzer.counts.values()) > 30
    assert fuzzer.counts["Corrupt"] > 0


@pytest.mark.slow
def test_cases_that_once_kept_a_reader_busy_for_a_minute_are_given_up_in_time(fuzzer):
    assert [fuzzer.try_case(case) for case in (101506, 103042)] == [{"code": "LoaderTimeout"}] * 2


@pytest.mark.slow
def test_a_dead_worker_is_a_failure_that_is_kept_and_another_goes_on(fuzzer, tmp_path):
    fuzzer.worker.process.kill()
    fuzzer.worker.process.wait()
    fuzzer.worker.open = lambda kind, path: {"failed": "the worker died (-9)"}
    assert fuzzer.try_case(5) == {"failed": "the worker died (-9)"}
    kind = fuzzer.worker.kinds[5 % len(fuzzer.worker.kinds)]
    assert fuzzer.failures == {5: f"{kind}: the worker died (-9)"}
    assert [file.name for file in (tmp_path / "kept").iterdir()] == [f"5-{kind}"]
    assert fuzzer.worker.process.poll() is None
