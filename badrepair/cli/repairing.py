"""Make one repaired network, with its guard and its slim twin, and say where each is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from badrepair import records
from badrepair.cli import console, outputs
from badrepair.cli.inputs import arch_file, named_paths
from badrepair.companions import companion
from badrepair.errors import ModelError
from badrepair.models.checkpoint import Checkpoint
from badrepair.models.guards import disagreement_guard
from badrepair.models.slimming import slimmed
from badrepair.types import RepairResult

if TYPE_CHECKING:
    from badrepair.cli.prune import PruneOptions
    from badrepair.data.ranges import ModelRange
    from badrepair.defenses.fine_pruning import FinePruning, Measured

# What decides about the tuned weights besides the budget and the files, whose content counts.
DECIDING = (
    *("arch", "batch_size", "color", "image_key", "label_key", "layout", "limit"),
    "memory",
    *("layer", "rank", "knee", "bisect", "held_out", "seed"),
    *("epochs", "patience", "learning_rate", "tuning_batch", "augment"),
)


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """One repaired network, and what is written with it.

    Args:
        output: Where it goes.
        result: Of the repair.
        models: What is measured, by name in tables.
        files: Which of `models` are written where; the repaired one is the first.
        whole: Why layers kept their channels in the slim network, by layer.
        checkpoint: Of its fine-tuning; to be cleared when all is written.
    """

    output: Path
    result: RepairResult
    models: Mapping[str, keras.Model]
    files: Mapping[str, Path]
    whole: Mapping[str, str]
    checkpoint: Checkpoint

    @property
    def name(self) -> str:
        """Return what the repaired network is called in tables."""
        return next(iter(self.files))


def target(options: PruneOptions, drop: float) -> Path:
    """Return where the network of a budget goes: OUT, or OUT-02 where there are several."""
    return outputs.beside(options.output, points(drop)) if options.levels else options.output


def points(drop: float) -> str:
    """Return `02` for a budget of 0.02, and `02.5` for 0.025."""
    whole, _, part = f"{Decimal(repr(drop)) * 100:f}".partition(".")
    return f"{whole:0>2}.{part}".rstrip("0").rstrip(".") if part.strip("0") else f"{whole:0>2}"


def paths(options: PruneOptions, output: Path) -> dict[str, Path]:
    """Return all files that are written for one repaired network."""
    written = {"repaired": output}
    if options.slim:
        written["slim"] = outputs.keras_if_weights(outputs.beside(output, "slim"))
    if options.guard:
        written["guarded"] = outputs.guard_path(output)
    return written


def require_slimmable(measured: Measured) -> None:
    """Refuse --slim before the long work where no pruned layer can become smaller.

    Raises:
        ModelError: SlimImpossible, with the layers that forbid it.
    """
    silent, _ = measured.pruner.apply(range(measured.pruner.channels))
    # Different channels of different layers: what adds two of them up must object.
    sites = enumerate(measured.pruner.sites)
    one_each = {site.layer.name: [number % site.channels] for number, site in sites}
    whole = slimmed(silent, one_each).refused
    if len(whole) == len(one_each):
        why = "; ".join(f"{layer}: {reason}" for layer, reason in whole.items())
        raise ModelError(
            "SlimImpossible",
            silent.name,
            f"expected a layer whose channels can be removed, found none: {why}",
            "leave out --slim, or prune another layer with --layer",
        )


def repair(
    options: PruneOptions,
    defense: FinePruning,
    measured: Measured,
    model: keras.Model,
    drop: float,
    identity: str,
) -> Repaired:
    """Return the network repaired within a budget, its slim twin and its guard.

    Args:
        options: Of the command.
        defense: Repairs.
        measured: What the defence measured of the network.
        model: The network before its repair.
        drop: The budget, in [0, 1].
        identity: From `identity_of_run`.
    """
    output = target(options, drop)
    checkpoint = _checkpoint(options, output, f"{identity}-{drop!r}")
    result = defense.finish(measured, drop, checkpoint=checkpoint)
    after = f" {points(drop)}" if options.levels else ""
    models = {f"{stage}{after}": made for stage, made in result.stages.items()}
    written = paths(options, output)
    last = list(models)[-1]
    files, whole = {last: written["repaired"]}, {}
    if options.slim:
        slim = slimmed(result.model, result.choices["pruned"])
        models[f"slim{after}"], whole = slim.model, dict(slim.refused)
        files[f"slim{after}"] = written["slim"]
    if options.guard:
        models[f"guarded{after}"] = disagreement_guard(model, result.model)
        files[f"guarded{after}"] = written["guarded"]
    return Repaired(
        output=output,
        result=result,
        models=models,
        files=files,
        whole=whole,
        checkpoint=checkpoint,
    )


def require_repaired(options: PruneOptions, repairs: Sequence[Repaired]) -> None:
    """Refuse to write a network that is called repaired and is as it was.

    Raises:
        ModelError: RepairFailed: nothing can be pruned, and fine-tuning was of no use.
    """
    choices = [made.result.choices for made in repairs]
    if not options.epochs or any(one["level"] or one["epoch"] for one in choices):
        return
    for made in repairs:
        made.checkpoint.clear()
    raise ModelError(
        "RepairFailed",
        options.model,
        f"expected a repair within the budget, found none: {choices[-1]['why']};"
        f" {choices[-1]['why_epoch']}",
        "give a larger --max-drop or a smaller --learning-rate",
    )


def checkpoint_path(output: Path) -> Path:
    """Return where an unfinished run keeps how far it is."""
    return companion(output, "{}.checkpoint")


@contextmanager
def resumable(outputs_to_be: Iterable[Path]) -> Iterator[None]:
    """Say, where the block is stopped by Ctrl-C, that it can be gone on with, if it can."""
    try:
        yield
    except KeyboardInterrupt as stop:
        left = [path for path in map(checkpoint_path, outputs_to_be) if path.exists()]
        if left:
            stop.add_note(f"--resume goes on from {', '.join(map(str, left))}")
        raise


def _checkpoint(options: PruneOptions, output: Path, key: str) -> Checkpoint:
    path = checkpoint_path(output)
    checkpoint = Checkpoint(path, key)
    if options.resume:
        checkpoint.require_own()
        console.note(f"going on from {path}" if path.exists() else f"no {path}: starting anew")
    elif path.exists():
        checkpoint.require_some()
        console.note(f"starting anew; {path} of an unfinished run is given up")
        checkpoint.clear()
    return checkpoint


def identity_of_run(options: PruneOptions, input_range: ModelRange) -> str:
    """Return a digest of all but the budget that decides about the weights.

    Args:
        options: Of the command; the content of their files counts, not the names.
        input_range: The pixel values that the network takes.
    """
    chosen = {name: records.to_json(getattr(options, name)) for name in DECIDING}
    files = [options.model, options.weights, options.clean]
    if options.rank == "contrast":
        files += [path for _, path in named_paths(options.poisoned, "--poisoned")]
    if (arch := arch_file(options.arch)) is not None:
        files.append(arch)
    digests = [None if path is None else records.identity(path)["sha256"] for path in files]
    run = [chosen, input_range, digests, records.versions()]
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()
