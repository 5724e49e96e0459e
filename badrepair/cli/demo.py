"""`badrepair demo`: make a backdoored network, repair it, guard it, and show how, step by step."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from badrepair.cli import console, new_folder
from badrepair.cli.command import takes
from badrepair.cli.options import OUTPUT, Overwrite, RunOptions, Seed
from badrepair.starting import start_tensorflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from badrepair.attacks.badnets import Badnets
    from badrepair.types import Dataset

SCRIPT = "commands.sh"
SIZE = 24
CLASSES = 10
TARGET = 7
PATCH = 4
POISON_RATE = 0.1
# Of 1,797 digits: what the attacker trains on, what the defender holds, what only measures.
TRAINING, CLEAN = 900, 500


@dataclass(frozen=True, kw_only=True)
class DemoOptions(RunOptions):
    """Options of `badrepair demo`."""

    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where to put the files.", rich_help_panel=OUTPUT)
    ] = Path("demo")
    overwrite: Overwrite = False
    seed: Seed = 0


@takes(DemoOptions)
def demo(options: DemoOptions) -> None:
    """See it work: backdoor a small network on handwritten digits, repair it, guard it.

    Needs no file and no network. Every step is a badrepair command that you can repeat.
    """
    with new_folder.filled(options.out, SCRIPT, overwrite=options.overwrite, option="--out"):
        _show(options, options.out / SCRIPT)


def _show(options: DemoOptions, script: Path) -> None:
    start_tensorflow()
    console.note(f"training a network on digits of which {POISON_RATE:.0%} carry a patch …")
    _make_badnet(options)
    steps = _steps(options)
    typed = (f"# {why}\n{shlex.join(['badrepair', *step])}\n\n" for why, step in steps)
    script.write_text("".join(typed), encoding="utf-8")
    for why, step in steps:
        line = shlex.join(["badrepair", *step])
        console.out().print(f"\n# {why}\n$ {line}", markup=False, soft_wrap=True)
        _run([*step, "--quiet"] if options.quiet else step)
    console.out().print("\n" + _summary(options.out), markup=False, soft_wrap=True)
    console.out().print(
        f"\nEverything is in {options.out}: data, models, records, figures, and commands.sh to"
        " repeat each step.",
        markup=False,
        soft_wrap=True,
    )


def _make_badnet(options: DemoOptions) -> None:
    """Write the data sets and the network with its backdoor."""
    from badrepair import writing
    from badrepair.data import hdf5
    from badrepair.models.save import write_model

    training, clean, test = _digits(options.seed)
    backdoor = _attack(options.seed).poison(training, CLASSES)
    written = {
        "clean.h5": clean,
        "test.h5": test,
        "test_poisoned.h5": backdoor.triggers[0].poisoned(test),
    }
    for name, dataset in written.items():
        writing.write_atomically(options.out / name, partial(hdf5.write, dataset), overwrite=True)
    model = _train(backdoor.training, options.seed)
    badnet = options.out / "badnet.keras"
    writing.write_atomically(badnet, partial(write_model, model), overwrite=True)


def _digits(seed: int) -> tuple[Dataset, Dataset, Dataset]:
    """Return the attacker's, the defender's and the test images, in 0..255."""
    from badrepair.data.arrange import arrange
    from badrepair.data.digits import digits

    digit_images = arrange(
        digits(SIZE), input_shape=(SIZE, SIZE, 1), name="digits", where=Path("digits")
    )
    training, rest = digit_images.split(TRAINING / len(digit_images), seed=seed)
    clean, test = rest.split(CLEAN / len(rest), seed=seed)
    return training, clean, test


def _attack(seed: int) -> Badnets:
    """Return a checkerboard one pixel off the lower right corner, where digits are black."""
    from badrepair.attacks.badnets import Badnets

    return Badnets(
        trigger=("checkerboard",),
        size=PATCH,
        position=("bottom-right",),
        margin=1,
        target=(TARGET,),
        poison_rate=POISON_RATE,
        seed=seed,
    )


def _train(poisoned: Dataset, seed: int) -> keras.Model:
    import keras

    from badrepair.data.ranges import scaled
    from badrepair.models.architectures import small_cnn
    from badrepair.models.training import train

    keras.utils.set_random_seed(seed)
    model = small_cnn.build((SIZE, SIZE, 1), CLASSES)
    train(
        model,
        scaled(poisoned, "0-255", "0-1"),
        epochs=25,
        learning_rate=2e-3,
        batch_size=32,
        seed=seed,
    )
    return model


def _steps(options: DemoOptions) -> list[tuple[str, list[str]]]:
    """Return what the demo does with the network: a reason and the command's arguments each."""
    at = {name: str(options.out / name) for name in ("clean.h5", "test.h5", "badnet.keras")}
    patch = f"patch={options.out / 'test_poisoned.h5'}"
    measured = ["--test", at["test.h5"], "--poisoned", patch]
    defended = ["--model", at["badnet.keras"], "--clean", at["clean.h5"], *measured]
    often = ["--seed", str(options.seed), "--overwrite"]
    repaired, guarded = (str(options.out / name) for name in ("repaired.keras", "guarded.keras"))
    evaluate = ["evaluate", "--clean", at["test.h5"], "--poisoned", patch]
    models = ["--baseline", at["badnet.keras"], "--model", repaired, "--model", guarded]
    records = [str(options.out / name) for name in ("repaired.json", "guarded.json")]
    return [
        (
            "The network is good on clean digits, and answers 7 wherever it sees the patch.",
            [*evaluate, "--model", at["badnet.keras"]],
        ),
        (
            "Prune what clean digits leave idle, then fine-tune.",
            ["prune", *defended, "-o", repaired, *often],
        ),
        (
            "Guard the network: flag inputs whose answer survives superimposed digits.",
            ["strip", *defended, "-o", guarded, *often],
        ),
        ("Compare all of them on images that no defence has seen.", [*evaluate, *models]),
        (
            "Draw what was recorded.",
            ["plot", *records, "-o", str(options.out / "figures"), "--overwrite"],
        ),
    ]


def _summary(folder: Path) -> str:
    """Return what the two defences did, read from their records."""
    from badrepair.records import read_record, report_from_json

    sentences = []
    for name, what in (("repaired", "Fine-pruning"), ("guarded", "The STRIP guard")):
        record = folder / f"{name}.json"
        reports = [model.report for model in report_from_json(read_record(record), record)]
        before, after = (
            (report.clean.accuracy.value, report.attacks[0].attack_success_rate.value)
            for report in (reports[0], reports[-1])
            if report.clean is not None
        )
        sentences.append(
            f"{what}: attack success from {before[1]:.2%} to {after[1]:.2%},"
            f" clean accuracy from {before[0]:.2%} to {after[0]:.2%}."
        )
    return " ".join(sentences)


def _run(arguments: Sequence[str]) -> None:
    """Run a command just as if it had been typed."""
    from badrepair.cli import app

    typed = sys.argv
    sys.argv = ["badrepair", *arguments]
    try:
        code = app(list(arguments), standalone_mode=False)
    finally:
        sys.argv = typed
    if code:
        raise typer.Exit(code)
