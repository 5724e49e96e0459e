"""Open what the user named: models through the loader, data sets in the range the model takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np

from badrepair import data, records
from badrepair.cli import console
from badrepair.data import ranges
from badrepair.data.arrange import arrange
from badrepair.errors import DataError, OptionError
from badrepair.models import inference
from badrepair.models.guards import require_unguarded
from badrepair.models.load import load_model
from badrepair.models.probing import surmise_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    from numpy.typing import NDArray

    from badrepair.cli.options import DataOptions, DefenseOptions, PictureOptions
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
    input_range: ranges.ModelRange
    why: str


def named_path(text: str) -> tuple[str, Path]:
    """Return the name and the file of `[NAME=]FILE`; without a name, the file's stem."""
    name, separator, path = text.partition("=")
    if separator and name and not Path(text).exists():
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


def open_model(options: DefenseOptions) -> keras.Model:
    """Return the model that `--model`, `--weights` and `--arch` name."""
    model = load_model(options.model, weights=options.weights, arch=options.arch)
    require_unguarded(model)
    return model


def require_clean(opened: Inputs) -> Dataset:
    """Return the clean set, or say that a defence needs one."""
    if opened.clean is None:
        raise OptionError(
            "CleanMissing", "--clean", "expected a file of clean labelled images, found none"
        )
    return opened.clean


def open_data(
    options: DataOptions,
    model: keras.Model,
    *,
    classes: int,
    test: Path | None = None,
    model_name: str = "",
) -> Inputs:
    """Return the data sets that the options name, as the model takes them.

    Args:
        options: Say which files and how they are stored.
        model: Fixes the layout, and the range where the options leave it open.
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
    input_range, why = _decide_range(options, model, clean or test_set, model_name)
    return Inputs(
        clean=None if clean is None else _scaled(clean, input_range),
        test=None if test_set is None else _scaled(test_set, input_range),
        poisoned=tuple(_scaled(one, input_range) for one in poisoned),
        input_range=input_range,
        why=why,
    )


def _stored(
    path: Path, name: str, options: DataOptions, model: keras.Model, classes: int
) -> Dataset:
    """Return a data set in its stored range."""
    raw = data.read(path, image_key=options.image_key, label_key=options.label_key)
    return arrange(
        raw,
        input_shape=tuple(model.input_shape[1:]),
        layout=options.layout.value,
        color=options.color.value,
        classes=classes,
        name=name,
        where=path,
        limit=options.limit,
    )


def _scaled(dataset: Dataset, input_range: ranges.ModelRange) -> Dataset:
    """Return the data in the model's range, each file judged by its own stored range."""
    if input_range == "as-is":
        return dataset
    return ranges.scaled(dataset, ranges.stored_range(dataset), input_range)


def range_for_pictures(options: PredictOptions, model: keras.Model) -> ranges.ModelRange:
    """Return the range that a model takes, where there may be no labelled data.

    In this order: what the user says, what --clean shows, what the record beside the model
    says, what answers to noise suggest.
    """
    clean = None
    beside = records.record_path(options.model)
    if options.input_range.value == "auto" and options.clean is not None:
        raw = data.read(options.clean)
        clean = arrange(
            raw,
            input_shape=tuple(model.input_shape[1:]),
            classes=int(model.output_shape[-1]),
            name=options.clean.name,
            where=options.clean,
        )
    elif options.input_range.value == "auto" and beside.exists():
        recorded = records.read_record(beside).get("input_range", {}).get("value")
        for known in get_args(ranges.ModelRange):
            if known == recorded:
                console.note(f"the model takes {known}, says {beside}")
                return cast("ranges.ModelRange", known)
    return _decide_range(options, model, clean, "")[0]


def _decide_range(
    options: PictureOptions, model: keras.Model, clean: Dataset | None, model_name: str
) -> tuple[ranges.ModelRange, str]:
    """Return the range that the model takes, and a sentence that says how it was found."""
    if options.input_range.value != "auto":
        chosen = cast("ranges.ModelRange", options.input_range.value)
        return chosen, f"--input-range {chosen}"
    sentence, found = (
        _surmised_range(model) if clean is None else _tried_range(model, clean, options)
    )
    console.note(f"{model_name}: {sentence}" if model_name else sentence)
    return found, sentence


def _tried_range(
    model: keras.Model, clean: Dataset, options: PictureOptions
) -> tuple[str, ranges.ModelRange]:
    """Return what clean accuracy says, and where that does not tell, what noise says."""

    def right(part: Dataset) -> NDArray[np.bool_]:
        answers = inference.answers(
            model, part.images, batch_size=options.batch_size, label="trying input ranges"
        )
        return np.asarray(answers == part.labels)

    trial = ranges.try_ranges(clean, right)
    if trial.decisive:
        return trial.sentence, trial.best
    surmise = surmise_range(model)
    if surmise is None:
        raise DataError(
            "RangeAmbiguous",
            clean.name,
            trial.sentence,
            "give --input-range 0-1 or --input-range 0-255",
        )
    return f"{trial.sentence}; {surmise.sentence}", surmise.input_range


def _surmised_range(model: keras.Model) -> tuple[str, ranges.ModelRange]:
    surmise = surmise_range(model)
    if surmise is None:
        raise OptionError(
            "RangeUnknown",
            "--input-range",
            "expected the pixel range that the model takes, and without --clean it does not show",
            "give --clean to try it on labelled images, or --input-range 0-1 or 0-255",
        )
    return surmise.sentence, surmise.input_range
