"""Frames arrive whole, or an error says that they did not."""

from __future__ import annotations

import os
import struct
import threading
import time

import numpy as np
import pytest

from badrepair.confinement import wire


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def sent(descriptor, *frame):
    """Send in a thread: a pipe holds 64 KiB."""
    thread = threading.Thread(target=wire.send, args=(descriptor, *frame))
    thread.start()
    return thread


@pytest.mark.parametrize("value", [None, [], {"a": [1, 2.5, "\udcff\n"]}, "x" * 100_000])
@pytest.mark.parametrize("content", [b"", b"abc", bytes(200_000)])
def test_what_is_sent_is_received(pipe, value, content):
    thread = sent(pipe[1], value, content)
    assert wire.receive(pipe[0]) == (value, bytearray(content))
    thread.join()


def test_arrays_of_any_shape_are_plain_bytes(pipe):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    thread = sent(pipe[1], 1, array.data)
    assert np.array_equal(np.frombuffer(wire.receive(pipe[0])[1], np.float32), array.ravel())
    thread.join()
    thread = sent(pipe[1], 1, np.empty((0, 3)).data)
    assert wire.receive(pipe[0]) == (1, bytearray())
    thread.join()


def test_frames_follow_each_other(pipe):
    for number in range(5):
        wire.send(pipe[1], number, bytes([number]))
    assert [wire.receive(pipe[0])[1] for _ in range(5)] == [bytes([n]) for n in range(5)]


def test_an_end_in_the_middle_is_an_error(pipe):
    os.write(pipe[1], struct.pack(">IQ", 100, 0) + b"[1, 2")
    os.close(pipe[1])
    with pytest.raises(wire.WireError, match="it ended"):
        wire.receive(pipe[0])


@pytest.mark.parametrize("text", [b"[1, 2", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_error(pipe, text):
    thread = threading.Thread(
        target=lambda: wire._write(pipe[1], memoryview(struct.pack(">IQ", len(text), 0) + text))
    )
    thread.start()
    with pytest.raises(wire.WireError, match="no JSON"):
        wire.receive(pipe[0])
    thread.join()


@pytest.mark.parametrize("sizes", [(2**32 - 1, 0), (2, 2**63)])
def test_a_frame_beyond_all_measure_is_refused_before_there_is_memory_for_it(pipe, sizes):
    os.write(pipe[1], struct.pack(">IQ", *sizes))
    with pytest.raises(wire.WireError, match="a frame of"):
        wire.receive(pipe[0])


def test_silence_is_waited_for_no_longer_than_asked(pipe):
    began = time.monotonic()
    with pytest.raises(wire.WireTimeoutError):
        wire.receive(pipe[0], 0.2)
    assert 0.15 < time.monotonic() - began < 2


def test_a_reader_that_trickles_does_not_outlast_its_time(pipe):
    os.write(pipe[1], struct.pack(">IQ", 10, 0) + b"[1")
    with pytest.raises(wire.WireTimeoutError):
        wire.receive(pipe[0], 0.2)
