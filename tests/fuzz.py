"""Flip, cut and insert bytes in sound files, and see that badrepair keeps its head.

    python tests/fuzz.py --seconds 60 --keep found      try cases until the time is over
    python tests/fuzz.py --case 12345                   try one case again

A case is a number: it fixes the file and what is done to it. A worker process opens it with the
library. What may come of it is a value or a `BadrepairError`, within ten seconds; any other error,
a dead worker and a file left behind are failures, which are kept under their number.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parent
MOST_SECONDS = 10.0
STARTING_SECONDS = 120.0
MOST_CHANGES = 8


def changed(content, case):
    """Return what a case makes of a sound file: the same number, the same bytes."""
    chance = random.Random(case)
    how = chance.choice(["flip", "flip", "flip", "cut", "insert", "zero"])
    made = bytearray(content)
    place = chance.randrange(len(made))
    if how == "flip":
        for _ in range(chance.randint(1, MOST_CHANGES)):
            made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del made[place:]
    elif how == "insert":
        made[place:place] = chance.randbytes(chance.randint(1, MOST_CHANGES))
    else:
        made[place : place + MOST_CHANGES] = bytes([chance.choice([0, 255])]) * MOST_CHANGES
    return bytes(made)


@dataclass
class Worker:
    """The process that opens cases, started again when it dies.

    Args:
        folder: Where cases are written; empty between them.
        kinds: Of the sound files, in the order in which cases take them.
    """

    folder: Path
    process: subprocess.Popen | None = None
    kinds: list[str] = field(default_factory=list)

    def start(self):
        paths = [TESTS / "fuzzing", TESTS / "hostile", TESTS, TESTS.parent]
        self.process = subprocess.Popen(
            [sys.executable, TESTS / "fuzzing" / "worker.py", self.folder],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.kinds = self._answer(STARTING_SECONDS)["kinds"]

    def open(self, kind, path):
        """Return what came of a file: ok, refused, or what went wrong."""
        with suppress(BrokenPipeError):  # the answer says that it died
            print(json.dumps([kind, str(path)]), file=self.process.stdin, flush=True)
        return self._answer(MOST_SECONDS)

    def stop(self):
        """End the process, dead or alive, as often as one likes."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                stream.close()
        self.process.wait()

    def _answer(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            self.stop()
            return {"failed": f"it took more than {seconds:.0f} seconds"}
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            return {"failed": f"the worker died ({self.process.returncode})"}
        return json.loads(line)


@dataclass
class Fuzzer:
    """Tries cases, and keeps those that fail.

    Args:
        folder: For the sound files and the cases.
        keep: Where failures go; None keeps none.
    """

    folder: Path
    keep: Path | None = None
    counts: Counter = field(default_factory=Counter)
    failures: dict = field(default_factory=dict)

    def __post_init__(self):
        (self.folder / "cases").mkdir()
        self.worker = Worker(self.folder)
        self.worker.start()

    def run(self, first, seconds):
        """Try one case after the other until the time is over."""
        until, case = time.monotonic() + seconds, first
        while time.monotonic() < until:
            self.try_case(case)
            case += 1

    def try_case(self, case):
        """Try one case and return what came of it."""
        kind = self.worker.kinds[case % len(self.worker.kinds)]
        sound = self.folder / "sound" / kind
        path = self.folder / "cases" / kind
        path.write_bytes(changed(sound.read_bytes(), case))
        found = self.worker.open(kind, path)
        content = path.read_bytes() if path.exists() else b""
        left = sorted(one.name for one in path.parent.iterdir() if one != path)
        if left:
            found = {"failed": f"it left {left}"}
        for one in path.parent.iterdir():
            one.unlink()
        self._count(case, kind, found, content)
        if self.worker.process.poll() is not None:
            self.worker.stop()
            self.worker.start()
        return found

    def _count(self, case, kind, found, content):
        self.counts[found.get("code") or ("failed" if "failed" in found else "ok")] += 1
        if "failed" not in found:
            return
        self.failures[case] = f"{kind}: {found['failed']}"
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{case}-{kind}").write_bytes(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="try this case alone")
    parser.add_argument("--keep", type=Path, help="folder for files that fail")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder), asked.keep)
        began = time.monotonic()
        if asked.case is None:
            fuzzer.run(asked.first, asked.seconds)
        else:
            print(json.dumps(fuzzer.try_case(asked.case)))
        fuzzer.worker.stop()
        report(fuzzer, time.monotonic() - began)
    sys.exit(bool(fuzzer.failures))


def report(fuzzer, seconds):
    """Print what failed, what came of the others, and how fast it went."""
    for case, problem in fuzzer.failures.items():
        print(f"case {case}: {problem}")
    total = sum(fuzzer.counts.values())
    print(", ".join(f"{code} {count}" for code, count in fuzzer.counts.most_common()))
    print(f"{total} cases, {total / seconds:.1f} a second, {len(fuzzer.failures)} failures")


if __name__ == "__main__":
    main()
