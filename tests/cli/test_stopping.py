"""Which signals stop a run, and which do not; what they do is in tests/faults/test_running.py."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from badrepair.cli.stopping import Stop, exit_code_of, in_order, stop_behind, word_of

STOPS = {"SIGINT": (130, "Ctrl-C"), "SIGTERM": (143, "SIGTERM"), "SIGHUP": (129, "SIGHUP")}
USUAL = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}


@pytest.fixture(autouse=True)
def usual():
    """Let signals do what they do where nobody has asked for anything else."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in USUAL}
    for name, handler in USUAL.items():
        signal.signal(getattr(signal, name), handler)
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.parametrize("name", STOPS)
def test_a_signal_stops_the_run_and_all_is_as_before(name):
    def send():
        with in_order():
            os.kill(os.getpid(), getattr(signal, name))
            pytest.fail("not stopped")

    with pytest.raises(Stop) as caught:
        send()
    assert (exit_code_of(caught.value), word_of(caught.value)) == STOPS[name]
    assert signal.getsignal(getattr(signal, name)) == USUAL[name]
    assert signal.set_wakeup_fd(-1) == -1
    assert "_watch" not in str(threading.enumerate())


def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with in_order():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_the_same_signal_twice_in_a_moment_is_one():
    cleaned = []

    def send_twice():
        with in_order():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                cleaned.append(True)

    with pytest.raises(Stop):
        send_twice()
    assert cleaned == [True]


def test_other_threads_leave_signals_alone():
    seen = []

    def look():
        with in_order():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_a_stop_is_found_behind_what_a_library_made_of_it():
    stop = Stop(signal.SIGTERM)
    wrapped, within = ImportError(), RuntimeError()
    wrapped.__cause__, within.__context__ = stop, wrapped
    assert stop_behind(within) is stop
    assert stop_behind(ValueError()) is None


def test_a_plain_ctrl_c_is_one_too():
    assert (exit_code_of(KeyboardInterrupt()), word_of(KeyboardInterrupt())) == (130, "Ctrl-C")
