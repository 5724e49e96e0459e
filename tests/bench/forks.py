"""Tasks that disturb the process they run in, and what it tells to the run."""

from __future__ import annotations

import gc
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path


def forked(seconds, own_session=False):
    """Return the number of a process that holds all that this one has open, for a while."""
    child = os.fork()
    if child == 0:
        if own_session:
            os.setsid()
        time.sleep(seconds)
        os._exit(0)
    return child


def forked_and_died(trace, own_session=False):
    """Die, and leave such a process; its number is in a file."""
    Path(trace).write_text(str(forked(60, own_session)))
    os._exit(9)


def forked_and_hanging(trace):
    """Take for ever, beside such a process."""
    Path(trace).write_text(str(forked(60)))
    time.sleep(600)


def twice(value):
    """Return a value, in this process and in one that it forks."""
    os.fork()
    return value


def told_before(value):
    """Return a value after the answer to another task."""
    for one in gc.get_objects():
        if isinstance(one, Connection) and not one.closed:
            one.send((0, True, "an answer to another task"))
    return value


def unsendable():
    """Return what cannot be pickled."""
    return lambda: None
