"""Write models with their records, whole or not at all, and print what was measured."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from badrepair import files, records, tables
from badrepair.cli import console
from badrepair.cli.inputs import named_path
from badrepair.cli.options import Format
from badrepair.models.save import require_format, write_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import keras

    from badrepair.cli.options import DefenseOptions
    from badrepair.types import Report


@dataclass(frozen=True)
class Plan:
    """Outputs that were found writable before the work began.

    Args:
        options: Of the command.
        sources: Input files, whose hashes go into the record.
    """

    options: DefenseOptions
    sources: tuple[Path, ...]

    def finish(
        self,
        *,
        command: str,
        models: Mapping[Path, keras.Model],
        shown: Sequence[tables.Table],
        sentences: Sequence[str],
        reports: Mapping[str, tuple[Report, Path | None]],
        record: Mapping[str, Any],
        started: float,
    ) -> None:
        """Write every model and then its record, and print the tables.

        Args:
            command: Name of the command.
            models: What to write, by output file.
            shown: The tables for people.
            sentences: What to say below them.
            reports: The measurements by model name, each with the model's file if it has one.
            record: What else the record keeps.
            started: When the command began, in `time.monotonic` seconds.
        """
        overwrite = self.options.overwrite
        for path, model in models.items():
            files.write_atomically(path, partial(write_model, model), overwrite=overwrite)
        measured = [evaluated(name, path, report) for name, (report, path) in reports.items()]
        content = {
            **records.provenance(
                command=command,
                arguments=sys.argv[1:],
                options=dataclasses.asdict(self.options),
                seed=self.options.seed,
                inputs=self.sources,
                started=started,
            ),
            "outputs": [records.identity(path) for path in models],
            **record,
            "models": records.report_json(measured)["models"],
        }
        for path in models:
            records.write_record(records.record_path(path), content, overwrite=overwrite)
        show(shown, content, self.options.format, sentences)
        console.note(f"seed {self.options.seed}; wrote " + ", ".join(str(path) for path in models))


def plan(options: DefenseOptions, targets: Sequence[Path]) -> Plan:
    """Check inputs and outputs before any long work, so that nothing is lost at its end."""
    poisoned = [named_path(text)[1] for text in options.poisoned]
    named = [options.model, options.weights, options.clean, options.test, *poisoned]
    if options.arch is not None and Path(options.arch).exists():
        named.append(Path(options.arch))
    sources = tuple(path for path in named if path is not None)
    for target in targets:
        require_format(target)
        for path in (target, records.record_path(target)):
            files.check_writable(path, overwrite=options.overwrite, inputs=sources)
    return Plan(options, sources)


def evaluated(name: str, path: Path | None, report: Report) -> records.EvaluatedModel:
    """Return a report with the identity of the model's file; None for one that was not kept."""
    if path is None:
        return records.EvaluatedModel(name, None, None, report)
    return records.EvaluatedModel(name, str(path), files.sha256(path), report)


def show(
    shown: Sequence[tables.Table],
    content: Mapping[str, Any],
    how: Format,
    sentences: Sequence[str] = (),
) -> None:
    """Print results on stdout: tables for people, or the record for programs."""
    if how is Format.json:
        print(json.dumps(records.to_json(content), indent=2))
        return
    for index, table in enumerate(shown):
        if how is Format.table:
            screen = console.out()
            screen.print(tables.as_rich(table, screen.width))
        else:
            text = tables.as_csv(table) if how is Format.csv else tables.as_markdown(table)
            print("\n" * bool(index) + text.rstrip("\n"))
    if how is not Format.csv:
        for sentence in sentences:
            console.out().print(sentence, markup=False, soft_wrap=True)
