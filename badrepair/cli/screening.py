"""What `badrepair strip --screen` does: judge images one by one, and write a row for each."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair import files, journal, records, writing
from badrepair.cli import console, screened, showing
from badrepair.cli.claiming import claimed
from badrepair.cli.command import pass_gate
from badrepair.cli.detectors import open_detector
from badrepair.errors import DataError, OptionError, OutputError
from badrepair.journal import Journal, partial_path
from badrepair.opening import unlabelled
from badrepair.quarantine import Quarantine
from badrepair.screening import Tally
from badrepair.screening import screened as blocks_of
from badrepair.unchanged import Snapshot
from badrepair.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from badrepair.cli.detectors import OpenedDetector
    from badrepair.cli.strip import StripOptions
    from badrepair.data.unlabelled import Unlabelled
    from badrepair.detectors.file import StoredDetector
    from badrepair.detectors.fitted_strip import FittedStrip

# What decides about the rows besides the detector and the images.
DECIDING = ("layout", "color", "image_key", "limit", "resize", "mixes_a_call")


@dataclass(frozen=True, kw_only=True)
class Screening:
    """All that a screening needs, found sound before the long work.

    Args:
        opened: The detector.
        images: What is screened.
        source: Its identity for the record.
        quarantine: Where flagged images are copied; None to copy none.
        rows: Where rows stand while the output is made.
        before: How all that is read was before it was.
    """

    opened: OpenedDetector
    images: Unlabelled
    source: Mapping[str, Any]
    quarantine: Quarantine | None
    rows: Journal
    before: Snapshot


def screen(options: StripOptions) -> None:
    """Judge every image that `--screen` names.

    Args:
        options: Of the command.
    """
    started = time.monotonic()
    output = _output(options)
    assert options.screen is not None
    opened = open_detector(options)
    written, read = (output, records.record_path(output)), (options.screen, *opened.files)
    with claimed(written, overwrite=options.overwrite, inputs=read):
        plan = _plan(options, output, opened)
        with plan.rows, _resumable(plan.rows):
            detector, tally, speed = _judge(options, plan)
            content = screened.record(options, opened, plan.source, detector, tally, speed, started)
            _require_same(plan)
            _publish(output, plan.rows, content, overwrite=options.overwrite)
    showing.show(
        [screened.table(tally, speed)],
        content,
        options.format,
        screened.sentences(tally, detector),
    )
    console.note(f"wrote {output}")
    if options.fail_on_finding:
        pass_gate(screened.findings(tally))


def _output(options: StripOptions) -> Path:
    if len(options.output) != 1:
        problem = f"expected one output for --screen, found {len(options.output)}"
        raise OptionError("OptionInvalid", "--output", problem, "give -o once")
    journal.require_format(options.output[0])
    return options.output[0]


def _plan(options: StripOptions, output: Path, opened: OpenedDetector) -> Screening:
    assert options.screen is not None
    _require_no_rows(options, partial_path(output))
    images = unlabelled(
        options.screen,
        opened.stored.shape,
        input_range=opened.stored.binding.input_range,
        color=options.color.value,
        resize=options.resize,
        limit=options.limit,
        image_key=options.image_key,
        layout=options.layout.value,
    )
    quarantine = _quarantine(options, images, opened.stored)
    before = Snapshot.of([*opened.files, *images.files])
    digest, size = images.digest()
    return Screening(
        opened=opened,
        images=images,
        source={"path": str(options.screen), "sha256": digest, "bytes": size},
        quarantine=quarantine,
        rows=Journal(partial_path(output), _run(options, opened.stored, digest)),
        before=before,
    )


def _require_same(plan: Screening) -> None:
    """Refuse to publish rows of images that have changed; no later run can go on with them."""
    try:
        plan.before.require_same()
    except DataError:
        plan.rows.remove()
        raise


def _require_no_rows(options: StripOptions, partial: Path) -> None:
    if os.path.lexists(partial) and not (options.resume or options.overwrite):
        problem = "rows of an unfinished screening stand there"
        hint = "--resume goes on with it, --overwrite starts anew"
        raise OutputError("PartialExists", partial, problem, hint)


def _quarantine(
    options: StripOptions, images: Unlabelled, stored: StoredDetector
) -> Quarantine | None:
    if options.quarantine is None:
        return None
    assert options.screen is not None
    quarantine = Quarantine(
        folder=options.quarantine, images=images, input_range=stored.binding.input_range
    )
    filled = options.resume or options.overwrite
    quarantine.check(source=options.screen, shape=stored.shape, filled=filled)
    return quarantine


def _run(options: StripOptions, stored: StoredDetector, source: str) -> dict[str, str]:
    """Return what decides about the rows, by what a user calls it."""
    chosen: dict[str, Any] = {name: getattr(options, name) for name in DECIDING}
    chosen["quarantine"] = options.quarantine and os.path.abspath(options.quarantine)
    return {
        "detector": stored.sha256,
        "source": source,
        "options": _digest(records.to_json(chosen)),
        "versions": _digest(records.versions()),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@contextmanager
def _resumable(rows: Journal) -> Iterator[None]:
    """Say, where the block is broken off, that it can be gone on with, if it can."""
    try:
        yield
    except BaseException as stop:
        hint = f"--resume goes on from {rows.path}"
        if isinstance(stop, KeyboardInterrupt) and rows.count:
            stop.add_note(hint)
        elif rows.is_open and rows.count and rows.path.exists():
            console.note(f"{counted(rows.count, 'row')} stay: {hint}")
        raise


def _judge(options: StripOptions, plan: Screening) -> tuple[FittedStrip, Tally, float | None]:
    """Return the detector, what it found, and how many images a second it judged."""
    _resume(options, plan.rows)
    detector = plan.opened.fitted(batch_size=options.mixes_a_call)
    if not plan.rows.is_open:
        plan.rows.begin()
    tally, first = Tally.of(detector), plan.rows.count
    for row in plan.rows.rows():
        _count(tally, row)
    started = time.monotonic()
    for found in blocks_of(detector, plan.images, first=first):
        if plan.quarantine is not None:
            plan.quarantine.keep(found)
        plan.rows.append(found.rows)
        for row in found.rows:
            _count(tally, row)
    judged, seconds = plan.rows.count - first, time.monotonic() - started
    return detector, tally, judged / seconds if judged else None


def _resume(options: StripOptions, rows: Journal) -> None:
    """Open the rows of an unfinished run if they are to be gone on with, else give them up."""
    there = os.path.lexists(rows.path)
    if options.resume and not there:
        console.note(f"no {rows.path}: starting anew")
    elif options.resume:
        rows.resume()
        console.note(f"going on from {rows.path}, which holds {counted(rows.count, 'row')}")
    elif there:
        console.note(f"starting anew; {rows.path} of an unfinished run is given up")
        rows.discard()


def _count(tally: Tally, row: journal.Row) -> None:
    if tally.count(row) and (drift := tally.monitor.drift) is not None:
        console.note(f"warning: {drift.sentence}")


def _publish(output: Path, rows: Journal, content: dict[str, Any], *, overwrite: bool) -> None:
    """Let the output and its record appear; then the partial file is not needed any more."""

    def write(path: Path) -> None:
        journal.write(rows.rows(), path)
        made = {"sha256": files.sha256(path), "bytes": path.stat().st_size}
        content["outputs"] = [{"path": str(output), **made}]

    def write_record(path: Path) -> None:
        path.write_bytes(records.record_bytes(content))

    record = records.record_path(output)
    writing.write_together({output: write, record: write_record}, overwrite=overwrite)
    rows.remove()
    for path in (output, record):
        writing.remove_leftovers(path)
