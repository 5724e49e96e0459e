"""The local engine: tasks run in processes of their own, which end with the run."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import BrokenExecutor

import fakes
import pytest

from badrepair.bench.engines import local
from badrepair.bench.engines.local import LocalEngine, usable_cores
from badrepair.bench.peak_memory import forget_peak, peak_mib
from badrepair.errors import DataError, OptionError


@pytest.fixture
def engine():
    with LocalEngine(1) as engine:
        yield engine


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_task_runs_in_another_process_which_takes_the_next_one_too(engine):
    first, second = (engine.submit(os.getpid).result() for _ in range(2))
    assert first == second != os.getpid()


def test_a_process_has_one_thread_for_tensorflow_and_no_log_of_it(engine):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"):
        assert engine.submit(os.getenv, name).result() == "1"
    assert engine.submit(os.getenv, "TF_CPP_MIN_LOG_LEVEL").result() == "3"


def test_what_is_to_be_started_is_started_once_in_a_process():
    with LocalEngine(1, start=fakes.begin) as engine:
        assert [engine.submit(fakes.begun).result() for _ in range(2)] == [1, 1]


def test_a_process_makes_room_for_a_new_one_after_some_tasks(engine, monkeypatch):
    monkeypatch.setattr(local, "TASKS_A_PROCESS", 2)
    numbers = [engine.submit(os.getpid).result() for _ in range(4)]
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]


def test_what_a_task_raises_is_raised_and_the_process_goes_on(engine):
    before = engine.submit(os.getpid).result()
    with pytest.raises(DataError, match="TooFewImages"):
        engine.submit(fakes.complain).result()
    assert engine.submit(os.getpid).result() == before


def test_a_task_that_no_process_can_import_is_refused_in_words(engine):
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        engine.submit(fakes.Unimportable()).result()


def test_a_task_whose_process_dies_says_so_and_takes_no_other_with_it():
    with LocalEngine(2) as engine:
        other = engine.submit(time.sleep, 0.5)
        with pytest.raises(BrokenExecutor):
            engine.submit(os._exit, 9).result()
        other.result()
        assert engine.submit(abs, -1).result() == 1


def test_at_the_end_processes_are_ended_in_the_middle_of_a_task():
    with LocalEngine(1) as engine:
        number = engine.submit(os.getpid).result()
        begun = time.monotonic()
        hanging = engine.submit(time.sleep, 600)
        while not hanging.running():
            time.sleep(0.01)
    assert not is_there(number)
    assert time.monotonic() - begun < 10
    with pytest.raises(BrokenExecutor):
        hanging.result()


def test_temporary_files_of_a_process_that_was_ended_are_gone(engine):
    scratch = engine.submit(os.getenv, "TMPDIR").result()
    assert os.path.isdir(scratch)
    engine.__exit__(None, None, None)
    assert not os.path.exists(scratch)


def test_ctrl_c_is_not_for_the_processes(engine):
    number = engine.submit(os.getpid).result()
    assert os.getsid(number) != os.getsid(0)


def test_there_are_as_many_workers_as_cores_that_may_be_used():
    with LocalEngine() as engine:
        assert engine.workers == usable_cores() == len(os.sched_getaffinity(0))
    with pytest.raises(OptionError, match="--workers"):
        LocalEngine(0)


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


def test_processes_end_when_the_run_is_killed_in_the_middle_of_their_tasks(tmp_path):
    killed = fakes.started(tmp_path, "hang")
    deadline = time.monotonic() + 30
    while not fakes.processes(tmp_path / "traces"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    while any(map(is_there, fakes.processes(tmp_path / "traces"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
