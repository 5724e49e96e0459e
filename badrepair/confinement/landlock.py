"""Ask the kernel to keep this process from opening files, TCP connections and other processes.

Landlock, in Linux from 5.13 on, needs no privileges: https://docs.kernel.org/userspace-api/landlock.html.
What is open already stays open. Where the kernel knows nothing of it the process goes on without.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The numbers are the same on all of Linux's architectures.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_ASKED, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_READ = 0b1100  # files and folders
# How many kinds of access to files each version knows; later ones as many as the last.
_FILE_KINDS = {1: 13, 2: 14, 3: 15, 4: 15}
_MOST_FILE_KINDS = 16
_NETWORK_FROM, _NETWORK = 4, 0b11  # listen and connect
_SCOPE_FROM, _SCOPE = 6, 0b11  # sockets and signals of others


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scope", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict(readable: Iterable[str]) -> bool:
    """Let this process open nothing more but what it may read; there is no way back.

    Args:
        readable: Folders below which files may be read: modules are loaded when first needed.

    Returns:
        Whether the kernel does so.
    """
    if not sys.platform.startswith("linux"):
        return False
    call = ctypes.CDLL(None, use_errno=True).syscall
    version = call(_CREATE, None, ctypes.c_size_t(0), _VERSION_ASKED)
    if version < 1:
        return False
    rules = _Ruleset(
        files=(1 << _FILE_KINDS.get(version, _MOST_FILE_KINDS)) - 1,
        network=_NETWORK if version >= _NETWORK_FROM else 0,
        scope=_SCOPE if version >= _SCOPE_FROM else 0,
    )
    ruleset = call(_CREATE, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        return False
    for folder in readable:
        _allow(ruleset, folder)
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done: bool = call(_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return done


def _allow(ruleset: int, folder: str) -> None:
    """Let files below a folder be read, if there is such a folder."""
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rule = _Beneath(allowed=_READ, folder=descriptor)
    ctypes.CDLL(None).syscall(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    os.close(descriptor)
