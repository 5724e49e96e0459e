"""The most memory that this process holds at a time, counted from a moment on.

Linux keeps the highest resident size of a process, `VmHWM`, and sets it back to the present size
when a 5 is written to `clear_refs`: see proc_pid_clear_refs(5).
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

PROCESS = Path("/proc/self")
_HIGHEST = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def forget_peak() -> None:
    """Begin to count anew, where the system can; elsewhere the peak is that since the start."""
    with suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")


def peak_mib() -> int | None:
    """Return the highest resident size in MiB, rounded; None where the system does not tell."""
    try:
        found = _HIGHEST.search((PROCESS / "status").read_text())
    except OSError:
        return None
    return None if found is None else round(int(found[1]) / 1024)
