"""Frames between a confined process and the one that asks it: a JSON object, then plain bytes."""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any

_HEAD = struct.Struct(">IQ")
MOST_JSON = 64 * 2**20
MOST_BYTES = 2**32


class WireError(Exception):
    """The other side ended, or sent something that is no frame."""


class WireTimeoutError(Exception):
    """The other side took too long."""


def send(descriptor: int, value: Any, content: bytes | memoryview = b"") -> None:
    """Send one frame.

    Args:
        descriptor: Of a pipe.
        value: What JSON can say (Any).
        content: Plain bytes that go with it.
    """
    text = json.dumps(value, allow_nan=False).encode()
    view = memoryview(content)
    view = view.cast("B") if view.nbytes else memoryview(b"")
    for part in (_HEAD.pack(len(text), len(view)), text, view):
        _write(descriptor, memoryview(part))


def receive(descriptor: int, seconds: float | None = None) -> tuple[Any, bytearray]:
    """Return the next frame: what JSON said (Any), and the bytes that went with it.

    Args:
        descriptor: Of a pipe.
        seconds: How long to wait; None waits for ever.

    Raises:
        WireError: The other side ended, or sent something else.
        WireTimeoutError: It took too long.
    """
    until = None if seconds is None else time.monotonic() + seconds
    length, size = _HEAD.unpack(_read(descriptor, _HEAD.size, until))
    if length > MOST_JSON or size > MOST_BYTES:
        raise WireError(f"a frame of {length:,} and {size:,} bytes")
    text = _read(descriptor, length, until)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a frame that is no JSON: {error}") from error
    return value, _read(descriptor, size, until)


def _write(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int, size: int, until: float | None) -> bytearray:
    content = bytearray(size)
    view = memoryview(content)
    while view:
        _wait(descriptor, until)
        count = os.readv(descriptor, [view])
        if not count:
            raise WireError("it ended")
        view = view[count:]
    return content


def _wait(descriptor: int, until: float | None) -> None:
    left = None if until is None else until - time.monotonic()
    if left is not None and (left <= 0 or not select.select([descriptor], [], [], left)[0]):
        raise WireTimeoutError
