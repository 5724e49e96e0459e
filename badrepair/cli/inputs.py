"""Open what the user named: models through the loader, data sets in the range the model takes."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from badrepair import records
from badrepair.cli import console
from badrepair.cli.options import clean_missing
from badrepair.data.ranges import ModelRange
from badrepair.errors import ModelError, OptionError
from badrepair.metrics import counting
from badrepair.models import inference
from badrepair.models.guards import require_unguarded
from badrepair.models.load import load_model
from badrepair.opening import RangeDecision, decide_range, in_range, stored_data
from badrepair.trusting import warn_of_strangers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import keras

    from badrepair.cli.options import ArchOptions, DataOptions, PictureOptions
    from badrepair.cli.predict import PredictOptions
    from badrepair.types import Dataset


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The data sets of a run, in the range that the model takes.

    Args:
        clean: None where none was given.
        test: Clean images apart from `clean`; None where none was given.
        poisoned: One a trigger.
        input_range: "0-1", "0-255" or "as-is": what the model takes.
        why: One sentence that says how the range was found.
    """

    clean: Dataset | None
    test: Dataset | None
    poisoned: tuple[Dataset, ...]
    input_range: ModelRange
    why: str


def named_path(text: str) -> tuple[str, Path]:
    """Return the name and the file of `[NAME=]FILE`; without a name, the file's stem."""
    name, separator, path = text.partition("=")
    if separator and name and not os.path.exists(text):
        return name, Path(path)
    return Path(text).name.split(".")[0], Path(text)


def named_paths(texts: Sequence[str], option: str) -> tuple[tuple[str, Path], ...]:
    """Return names and files, refusing a name that stands twice."""
    pairs = tuple(named_path(text) for text in texts)
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if "clean" in dict(pairs) and option == "--poisoned":
        raise OptionError(
            "NameTaken", option, "expected a trigger's name, found 'clean'", f"{option} NAME=FILE"
        )
    if twice:
        raise OptionError(
            "NameTwice",
            option,
            f"expected different names, found {twice[0]!r} twice",
            f"write {option} NAME=FILE",
        )
    return pairs


def arch_file(arch: str | None) -> Path | None:
    """Return the file that `--arch` names; None if it names a built-in network or nothing."""
    return None if arch is None or not os.path.exists(arch) else Path(arch)


def loaded(options: ArchOptions, path: Path) -> keras.Model:
    """Return the model of a file, with what `--weights`, `--arch` and `--trust-model` say."""
    files = (path, options.weights, arch_file(options.arch))
    warn_of_strangers(files, options.trust_model)
    return load_model(path, weights=options.weights, arch=options.arch, trusted=options.trust_model)


def open_model(options: ArchOptions, path: Path) -> keras.Model:
    """Return the model of a file that is to be defended."""
    model = loaded(options, path)
    require_unguarded(model, path)
    return model


@contextmanager
def naming(path: Path, model: keras.Model) -> Iterator[None]:
    """Let errors about a model name its file: the library knows only the network's name."""
    try:
        yield
    except ModelError as error:
        where = str(path) if error.where == model.name else error.where
        raise ModelError(error.code, where, error.problem, error.hint) from error


def require_running(model: keras.Model, path: Path, data: Dataset) -> None:
    """Refuse a network that no image passes: a file can describe layers that fit on paper only.

    Raises:
        ModelError: `CannotRun`.
    """
    with naming(path, model):
        inference.answers(model, data.images[:1])


def require_clean(opened: Inputs) -> Dataset:
    """Return the clean set, or say that a defence needs one."""
    if opened.clean is None:
        raise clean_missing()
    return opened.clean


def open_data(
    options: DataOptions,
    model: keras.Model,
    path: Path,
    *,
    classes: int,
    test: Path | None = None,
    model_name: str = "",
) -> Inputs:
    """Return the data sets that the options name, as the model takes them.

    Args:
        options: Say which files and how they are stored.
        model: Fixes the layout, and the range where the options leave it open.
        path: The model's file.
        classes: Labels must lie below it.
        test: More clean images.
        model_name: Which of several models, for messages.
    """
    clean, test_set = (
        None if path is None else _stored(path, path.name, options, model, classes)
        for path in (options.clean, test)
    )
    poisoned = [
        _stored(path, name, options, model, classes)
        for name, path in named_paths(options.poisoned, "--poisoned")
    ]
    decision = _decide_range(options, model, path, clean or test_set, model_name)
    return Inputs(
        clean=None if clean is None else in_range(clean, decision.input_range),
        test=None if test_set is None else in_range(test_set, decision.input_range),
        poisoned=tuple(in_range(one, decision.input_range) for one in poisoned if _counts(one)),
        input_range=decision.input_range,
        why=decision.why,
    )


def range_for_pictures(options: PredictOptions, model: keras.Model) -> ModelRange:
    """Return the range that a model takes, where there may be no labelled data."""
    automatic = options.input_range.value == "auto"
    clean = stored_data(options.clean, model) if automatic and options.clean else None
    return _decide_range(options, model, options.model, clean, "").input_range


def _counts(poisoned: Dataset) -> bool:
    """Return whether there is anything to measure in a poisoned set, and say so if not."""
    if not len(counting(poisoned)):
        console.note(f"{poisoned.name}: all its images show the target class; not measured")
        return False
    return True


def _stored(
    path: Path, name: str, options: DataOptions, model: keras.Model, classes: int
) -> Dataset:
    return stored_data(
        path,
        model,
        name=name,
        classes=classes,
        image_key=options.image_key,
        label_key=options.label_key,
        layout=options.layout.value,
        color=options.color.value,
        limit=options.limit,
        label_offset=options.label_offset,
        skip_bad=options.skip_bad,
    )


def _decide_range(
    options: PictureOptions,
    model: keras.Model,
    path: Path,
    clean: Dataset | None,
    model_name: str,
) -> RangeDecision:
    """Return the range that a model takes, and say aloud how it was found.

    In this order: what the user says, what the record beside the model says, what clean images
    show, what answers to noise suggest.
    """
    if options.input_range.value != "auto":
        chosen = cast("ModelRange", options.input_range.value)
        return RangeDecision(chosen, f"--input-range {chosen}")
    decision = _recorded_range(path)
    if decision is None:
        with naming(path, model):
            decision = decide_range(model, clean, batch_size=options.batch_size)
    console.note(f"{model_name}: {decision.why}" if model_name else decision.why)
    return decision


def _recorded_range(path: Path) -> RangeDecision | None:
    recorded = records.text_in(records.record_of(path), "input_range", "value")
    if recorded not in get_args(ModelRange):
        return None
    beside = records.record_path(path)
    return RangeDecision(cast("ModelRange", recorded), f"the model takes {recorded}, says {beside}")
