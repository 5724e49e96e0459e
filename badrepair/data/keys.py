"""Which array of a file holds the images, which the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.errors import DataError
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PAIRS = (("data", "label"), ("images", "labels"), ("x", "y"))
# Keras's own .npz files hold both halves; which one is meant only the user can say.
SPLIT_PAIRS = (("x_test", "y_test"), ("x_train", "y_train"))
TRUE_LABELS = ("true_label", "true_labels")
_LISTED = 20
_HINT = "--image-key and --label-key name them"
_IMAGE_HINT = "--image-key names it"


def choose_keys(
    found: Collection[str], image_key: str | None, label_key: str | None, where: Path
) -> tuple[str, str | None]:
    """Return the keys of images and labels; the latter is None for a file without labels.

    Args:
        found: All keys of the file.
        image_key: What the user named; None to go by the usual names.
        label_key: Likewise.
        where: The file to name in errors.

    Raises:
        DataError: If a key is not there, or if several fit.
    """
    for key in (image_key, label_key):
        if key is not None and key not in found:
            raise _missing(f"the key {key}", found, where)
    if image_key is not None:
        return image_key, label_key or _partner(image_key, found)
    if label_key is not None:
        images = [name for name, _ in PAIRS if name in found]
        return _only(images, "a key for the images", found, where), label_key
    pairs = {image: label for image, label in PAIRS if image in found and label in found}
    image = _only(list(pairs), "the keys data and label", found, where)
    return image, pairs[image]


def choose_image_key(found: Collection[str], image_key: str | None, where: Path) -> str:
    """Return the key of the images in a file whose labels, if it has any, do not count.

    Args:
        found: All keys of the file.
        image_key: What the user named; None to go by the usual names, or by the only array.
        where: The file to name in errors.

    Raises:
        DataError: If the key is not there, or if several fit.
    """
    usual = [name for name, _ in PAIRS if name in found]
    fitting = [image_key] if image_key is not None else usual or list(found)
    if not fitting or fitting[0] not in found:
        wanted = "an array of images" if image_key is None else f"the key {image_key}"
        raise _missing(wanted, found, where, _IMAGE_HINT)
    if len(fitting) > 1:
        named = " and ".join(sorted(map(printable, fitting))[:_LISTED])
        raise DataError("KeyAmbiguous", where, f"{named} all fit", _IMAGE_HINT)
    return fitting[0]


def true_label_key(found: Collection[str]) -> str | None:
    """Return the key of what poisoned images really show; None if the file has none."""
    return next((name for name in TRUE_LABELS if name in found), None)


def _partner(image_key: str, found: Collection[str]) -> str | None:
    usual = dict(PAIRS + SPLIT_PAIRS).get(image_key)
    if usual in found:
        return usual
    labels = [label for _, label in PAIRS if label in found and label != image_key]
    return labels[0] if len(labels) == 1 else None


def _only(images: list[str], wanted: str, found: Collection[str], where: Path) -> str:
    if not images:
        raise _missing(wanted, found, where)
    if len(images) > 1:
        raise DataError("KeyAmbiguous", where, f"{' and '.join(images)} all fit", _HINT)
    return images[0]


def _missing(wanted: str, found: Collection[str], where: Path, hint: str = _HINT) -> DataError:
    names = sorted(map(printable, found))
    listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
    return DataError("KeyMissing", where, f"expected {wanted}, found {listed or 'no key'}", hint)
