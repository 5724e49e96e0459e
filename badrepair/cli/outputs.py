"""Write models with their records, whole or not at all."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from badrepair import files, records, writing
from badrepair.cli import console, showing
from badrepair.cli.claiming import claimed
from badrepair.cli.inputs import arch_file, named_path
from badrepair.models.save import (
    WEIGHTS_ENDING,
    WHOLE_ENDINGS,
    model_bytes,
)
from badrepair.trusting import trusted_files
from badrepair.unchanged import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import keras

    from badrepair.cli.evaluate import EvaluateOptions
    from badrepair.cli.options import DefenseOptions
    from badrepair.tables import Table
    from badrepair.types import Report


@dataclass(frozen=True)
class Plan:
    """Outputs that were found writable before the work began.

    Args:
        options: Of the command.
        sources: Input files, whose hashes go into the record.
        before: How they were then.
    """

    options: DefenseOptions
    sources: tuple[Path, ...]
    before: Snapshot

    def finish(
        self,
        *,
        command: str,
        models: Mapping[Path, keras.Model | bytes],
        shown: Sequence[Table],
        sentences: Sequence[str],
        reports: Mapping[str, tuple[Report, Path | None]],
        record: Mapping[str, Any],
        started: float,
        own: Mapping[Path, Mapping[str, Any]] | None = None,
        together: Mapping[str, Any] | None = None,
    ) -> None:
        """Write every model and then its record, and print the tables.

        Args:
            command: Name of the command.
            models: What to write, by output file: networks, or the content of the file.
            shown: The tables for people.
            sentences: What to say below them.
            reports: The measurements by model name, each with the model's file if it has one.
            record: What else the record keeps.
            started: When the command began, in `time.monotonic` seconds.
            own: What else the record of one output keeps, by output file.
            together: What JSON on stdout shows of that.
        """
        made = {
            path: model if isinstance(model, bytes) else model_bytes(model, path)
            for path, model in models.items()
        }
        identities = {path: records.identity_of(path, data) for path, data in made.items()}
        content = {
            **records.provenance(
                command=command,
                arguments=sys.argv[1:],
                options=dataclasses.asdict(self.options),
                seed=self.options.seed,
                inputs=self.sources,
                started=started,
            ),
            "trusted": trusted_files(self.sources, self.options.trust_model),
            "outputs": list(identities.values()),
            **record,
            "models": records.report_json(
                [
                    evaluated(name, report, path, identities)
                    for name, (report, path) in reports.items()
                ]
            )["models"],
        }
        each = {path: {**content, **(own or {}).get(path, {})} for path in made}
        kept = {records.record_path(path): records.record_bytes(one) for path, one in each.items()}
        self.before.require_same()
        writing.write_together({**made, **kept}, overwrite=self.options.overwrite)
        showing.show(shown, {**content, **(together or {})}, self.options.format, sentences)
        console.note(f"seed {self.options.seed}; wrote " + ", ".join(str(path) for path in models))


def beside(output: Path, word: str) -> Path:
    """Return a file name with a word at the end of its stem: `out-slim.keras`."""
    endings = (WEIGHTS_ENDING, *WHOLE_ENDINGS)
    ending = next((one for one in endings if output.name.endswith(one)), output.suffix)
    return output.with_name(f"{output.name.removesuffix(ending)}-{word}{ending}")


def keras_if_weights(path: Path) -> Path:
    """Return a path whose file tells the architecture: the weights alone would not fit any."""
    if path.name.endswith(WEIGHTS_ENDING):
        return path.with_name(path.name.removesuffix(WEIGHTS_ENDING) + ".keras")
    return path


def guard_path(output: Path) -> Path:
    """Return where the guard of a network goes: `out-guard.keras`."""
    return keras_if_weights(beside(output, "guard")).with_suffix(".keras")


@contextmanager
def planned(options: DefenseOptions, model: Path, targets: Sequence[Path]) -> Iterator[Plan]:
    """Check inputs and outputs before any long work, and keep the outputs for this run."""
    named = [model, options.weights, *files_of(options)]
    sources = tuple(path for path in named if path is not None)
    written = [path for target in targets for path in (target, records.record_path(target))]
    with claimed(written, overwrite=options.overwrite, inputs=sources):
        yield Plan(options, sources, Snapshot.of(sources))


def files_of(options: DefenseOptions | EvaluateOptions) -> list[Path]:
    """Return the data files, and the architecture if it is a file."""
    poisoned = [named_path(text)[1] for text in options.poisoned]
    named = [options.clean, getattr(options, "test", None), *poisoned, arch_file(options.arch)]
    return [path for path in named if path is not None]


def evaluated(
    name: str,
    report: Report,
    path: Path | None,
    identities: Mapping[Path, Mapping[str, Any]],
) -> records.EvaluatedModel:
    """Return a report with the identity of the model's file.

    Args:
        name: What the model is called.
        report: What was measured of it.
        path: Its file; None for a step on the way that was not kept.
        identities: Of files that are not written yet.
    """
    if path is None:
        return records.EvaluatedModel(name, None, None, report)
    digest = identities[path]["sha256"] if path in identities else files.sha256(path)
    return records.EvaluatedModel(name, str(path), digest, report)
