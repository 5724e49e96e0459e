"""The local engine: tasks run in processes of their own, which end with the run."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import BrokenExecutor

import fakes
import forks
import pytest

from badrepair.bench.engines import TimedOut, local
from badrepair.bench.engines.local import LocalEngine, usable_cores
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


def wait_for(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def number_in(trace):
    wait_for(lambda: trace.exists() and trace.read_text())
    return int(trace.read_text())


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


def test_processes_end_when_the_run_is_killed_in_the_middle_of_their_tasks(tmp_path):
    killed = fakes.started(tmp_path, "hang")
    wait_for(lambda: fakes.processes(tmp_path / "traces"))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_for(lambda: not any(map(is_there, fakes.processes(tmp_path / "traces"))))


def test_a_task_that_goes_on_in_two_processes_answers_once(engine):
    assert [engine.submit(forks.twice, number).result() for number in (1, 2)] == [1, 2]
    time.sleep(0.3)
    assert engine.submit(abs, -3).result() == 3


def test_an_answer_to_another_task_is_none_to_this_one(engine):
    assert [engine.submit(forks.told_before, number).result() for number in (1, 2)] == [1, 2]


def test_an_answer_that_cannot_be_sent_is_told_and_the_process_goes_on(engine):
    before = engine.submit(os.getpid).result()
    with pytest.raises(TypeError, match="a function cannot be sent"):
        engine.submit(forks.unsendable).result()
    assert engine.submit(os.getpid).result() == before


@pytest.mark.parametrize("own_session", [False, True])
def test_a_death_is_noticed_while_a_process_of_the_task_lives(engine, tmp_path, own_session):
    dying = engine.submit(forks.forked_and_died, str(tmp_path / "trace"), own_session)
    with pytest.raises(BrokenExecutor):
        dying.result(timeout=20)
    child = number_in(tmp_path / "trace")
    if own_session:  # it has said that it will outlive all
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: not is_there(child))


def test_what_tasks_started_ends_with_the_engine(tmp_path):
    with LocalEngine(2) as engine:
        child = engine.submit(forks.forked, 60).result()
        hanging = engine.submit(forks.forked_and_hanging, str(tmp_path / "trace"))
        other = number_in(tmp_path / "trace")
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    wait_for(lambda: not is_there(child) and not is_there(other))
    with pytest.raises(BrokenExecutor):
        hanging.result()


def test_what_tasks_started_ends_when_the_run_is_killed(tmp_path):
    killed = fakes.started(tmp_path, "fork and hang")
    child = number_in(tmp_path / "child")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_for(lambda: not is_there(child))


def test_a_task_that_takes_too_long_is_ended_and_so_is_its_process(engine, tmp_path):
    slow = engine.submit(forks.forked_and_hanging, str(tmp_path / "trace"), minutes=0.05)
    with pytest.raises(TimedOut, match=r"longer than 0\.05 minutes"):
        slow.result(timeout=20)
    child = number_in(tmp_path / "trace")
    wait_for(lambda: not is_there(child))
    assert engine.submit(abs, -1, minutes=1e9).result() == 1


def test_a_process_of_a_tasks_own_runs_nothing_before_or_after():
    with LocalEngine(2) as engine:
        common, own, another = (
            engine.submit(os.getpid, own_process=one).result() for one in (False, True, True)
        )
        assert len({common, own, another}) == 3
        assert not is_there(own)
        assert engine.submit(os.getpid).result() == common


def test_there_are_never_more_processes_than_workers(engine):
    common = engine.submit(os.getpid).result()
    own = engine.submit(os.path.exists, f"/proc/{common}", own_process=True)
    assert own.result() is False
