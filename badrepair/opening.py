"""Open data sets for a model: arranged as it takes them, in the range that it takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from badrepair import data
from badrepair.data import ranges
from badrepair.data.arrange import arrange, arrange_images
from badrepair.data.pictures import SUFFIXES, find_pictures
from badrepair.data.unlabelled import ArrayRows, PictureRows
from badrepair.errors import DataError, OptionError
from badrepair.files import require_file
from badrepair.models import inference
from badrepair.models.probing import surmise_range
from badrepair.views import Selected

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from badrepair.data.pictures import Color
    from badrepair.data.ranges import ModelRange
    from badrepair.data.unlabelled import Unlabelled
    from badrepair.types import Dataset
    from badrepair.views import Images


@dataclass(frozen=True)
class RangeDecision:
    """The range that a model takes, and one sentence that says how it was found."""

    input_range: ModelRange
    why: str


def load_data(
    path: Path | str,
    model: keras.Model,
    *,
    input_range: ModelRange | Literal["auto"] = "auto",
    batch_size: int = inference.BATCH,
    **stored_as: Any,
) -> Dataset:
    """Return a file's images and labels as the model takes them; images are read lazily.

    Args:
        path: An HDF5, .npz or IDX file, or a folder of class folders.
        model: Fixes the layout and the number of classes.
        input_range: The range that the model takes; "auto" finds it with these images, which
            must then be clean.
        batch_size: Images a call while the range is tried.
        **stored_as: How the file stores them, as for `stored_data`.

    Raises:
        InputMissingError: There is no such file.
        DataError: It cannot be used, does not fit the model, or leaves the range in doubt.
    """
    dataset = stored_data(Path(path), model, **stored_as)
    if input_range == "auto":
        input_range = decide_range(model, dataset, batch_size=batch_size).input_range
    return in_range(dataset, input_range)


def stored_data(  # noqa: PLR0913 - there are as many ways to store images
    path: Path,
    model: keras.Model,
    *,
    name: str | None = None,
    classes: int | None = None,
    image_key: str | None = None,
    label_key: str | None = None,
    layout: Literal["auto", "nhwc", "nchw"] = "auto",
    color: Literal["rgb", "bgr"] = "rgb",
    limit: int | None = None,
    label_offset: int = 0,
    skip_bad: bool = False,
) -> Dataset:
    """Return a file's images as the model takes them, but for the range, and its labels.

    Args:
        path: An HDF5, .npz or IDX file, or a folder of class folders.
        model: Fixes the layout.
        name: What to call the data; the file's name if None.
        classes: Labels must lie below it; the model's outputs if None.
        image_key: Name of the images in the file; None goes by the usual names.
        label_key: Name of the labels; likewise.
        layout: Order of the axes in the file.
        color: Order of the channels in the file.
        limit: Keep this many rows, all classes in proportion; None keeps all.
        label_offset: Added to each label.
        skip_bad: Whether images that are damaged or not finite are left out; all are read then.
    """
    return arrange(
        data.read(path, image_key=image_key, label_key=label_key, skip_bad=skip_bad),
        input_shape=tuple(model.input_shape[1:]),
        layout=layout,
        color=color,
        classes=int(model.output_shape[-1]) if classes is None else classes,
        name=path.name if name is None else name,
        where=path,
        limit=limit,
        label_offset=label_offset,
        skip_bad=skip_bad,
    )


def in_range(dataset: Dataset, input_range: ModelRange) -> Dataset:
    """Return stored data in a model's range; each file is judged by its own stored range."""
    if input_range == "as-is":
        return dataset
    return ranges.scaled(dataset, ranges.stored_range(dataset), input_range)


def unlabelled(
    path: Path,
    shape: tuple[int, int, int],
    *,
    input_range: ModelRange,
    color: Color = "rgb",
    resize: bool = False,
    limit: int | None = None,
    **stored_as: Any,
) -> Unlabelled:
    """Return images without labels as a model takes them, to be read block by block.

    Args:
        path: A folder of pictures of any depth, a single picture, or a file as for
            `stored_images`.
        shape: (H, W, C) of the images that the model takes.
        input_range: The range that the model takes.
        color: Order of the channels in the file.
        resize: Whether pictures of another size are resized; else they cannot be read.
        limit: Keep the first rows only; None keeps all.
        **stored_as: How an array is stored, as for `stored_images`.
    """
    folder, names = path, []
    if os.path.isdir(path):  # not path.is_dir, which raises on endless names
        names = find_pictures(path)
    elif path.suffix.lower() in SUFFIXES:
        real = require_file(path).resolve()
        folder, names = real.parent, [real.name]
    if not names:
        stored = stored_images(
            path, shape, input_range=input_range, color=color, limit=limit, **stored_as
        )
        return ArrayRows(stored, path)
    return PictureRows(
        folder=folder,
        names=tuple(names[:limit]),
        shape=shape,
        input_range=input_range,
        color=color,
        resize=resize,
    )


def stored_images(
    path: Path,
    shape: tuple[int, int, int],
    *,
    input_range: ModelRange,
    image_key: str | None = None,
    layout: Literal["auto", "nhwc", "nchw"] = "auto",
    color: Color = "rgb",
    limit: int | None = None,
) -> Images:
    """Return a file's images as a model takes them, read lazily; labels in the file are ignored.

    Pixels that are NaN or infinite stay so.

    Args:
        path: An HDF5, .npz, .npy or IDX file.
        shape: (H, W, C) of the images that the model takes.
        input_range: The range that the model takes.
        image_key: Name of the images in the file; None goes by the usual names.
        layout: Order of the axes in the file.
        color: Order of the channels in the file.
        limit: Keep the first rows only; None keeps all.
    """
    stored = data.read_images(path, image_key=image_key)
    images: Images = arrange_images(
        stored, input_shape=shape, layout=layout, color=color, where=path, finite=False
    )
    if limit is not None and limit < len(images):
        images = Selected(images, np.arange(limit))
    if input_range == "as-is":
        return images
    return ranges.scaled_images(images, ranges.range_of(images, path.name), input_range)


def decide_range(
    model: keras.Model, clean: Dataset | None = None, *, batch_size: int = inference.BATCH
) -> RangeDecision:
    """Return the range that a model takes: what clean accuracy says, else what noise says.

    Args:
        model: Takes (n, H, W, C).
        clean: Clean labelled images in their stored range, if there are any.
        batch_size: Images a call.

    Raises:
        DataError: RangeAmbiguous, if neither tells.
        OptionError: RangeUnknown, if there are no clean images and noise does not tell.
    """
    trial = None if clean is None else _trial(model, clean, batch_size)
    if trial is not None and trial.decisive:
        return RangeDecision(trial.best, trial.sentence)
    surmise = surmise_range(model)
    if surmise is not None and (trial is None or trial.allows(surmise.input_range)):
        before = "" if trial is None else f"{trial.sentence}; "
        return RangeDecision(surmise.input_range, before + surmise.sentence)
    hint = "give --input-range 0-1 or --input-range 0-255"
    if clean is not None and trial is not None:
        raise DataError("RangeAmbiguous", clean.name, trial.sentence, hint)
    problem = "expected the pixel range that the model takes, and without --clean it does not show"
    raise OptionError("RangeUnknown", "--input-range", problem, hint)


def _trial(model: keras.Model, clean: Dataset, batch_size: int) -> ranges.RangeTrial:
    def right(part: Dataset) -> NDArray[np.bool_]:
        answers = inference.answers(
            model, part.images, batch_size=batch_size, label="trying input ranges"
        )
        return np.asarray(answers == part.labels)

    return ranges.try_ranges(clean, right)
