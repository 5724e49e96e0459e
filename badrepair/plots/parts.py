"""Read the parts of a record for a figure; a record is a file that anybody may have written."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from PIL import Image

from badrepair.errors import BadrepairError, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MOST_SETS = 12
MOST_PIXELS = 4096 * 4096


@dataclass(frozen=True)
class Part:
    """A value in a record and the way that led to it.

    Args:
        value: Whatever stands there: nothing about it is known yet.
        where: Dotted path from the record, such as `figures.entropies.threshold`.
    """

    value: Any
    where: str = "record"

    def refuse(self, expected: str) -> NoReturn:
        """Raise the error that says what should have stood here."""
        raise DataError(
            "RecordInvalid",
            self.where,
            f"expected {expected}, found {_describe(self.value)}",
            "run the command that wrote the record again",
        )

    def find(self, *path: str) -> Part | None:
        """Return the part at the end of `path`; None where it is absent or null."""
        part = self
        for key in path:
            below = part.fields().get(key)
            if below is None:
                return None
            part = Part(below, f"{part.where}.{key}")
        return part

    def get(self, *path: str) -> Part:
        """Return the part at the end of `path`, which must be there."""
        found = self.find(*path)
        if found is None:
            self.refuse(f"a value under `{'.'.join(path)}`")
        return found

    def fields(self) -> Mapping[str, Any]:
        """Return the value as an object with named fields."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        return self.value

    def items(self) -> tuple[Part, ...]:
        """Return the entries of a list that holds at least one."""
        if not isinstance(self.value, list | tuple) or not self.value:
            self.refuse("a list with at least one entry")
        return tuple(Part(entry, f"{self.where}[{i}]") for i, entry in enumerate(self.value))

    def sets(self) -> dict[str, Part]:
        """Return the entries of an object that has one for each poisoned set."""
        fields = self.fields()
        if len(fields) > MOST_SETS:
            raise DataError(
                "FigureTooCrowded",
                self.where,
                f"a figure shows at most {MOST_SETS} poisoned sets, the record holds {len(fields)}",
                "run the command again with fewer --poisoned",
            )
        return {str(name): Part(value, f"{self.where}.{name}") for name, value in fields.items()}

    def by_set(self) -> dict[str, list[Part]]:
        """Return the entries of a list by the `set` that each names, in the list's order."""
        sets: dict[str, list[Part]] = {}
        for entry in self.items():
            sets.setdefault(entry.get("set").text(), []).append(entry)
        # The number of sets is checked where all figures check it.
        Part(dict(sets), self.where).sets()
        return sets

    def text(self) -> str:
        """Return the value as a text."""
        if not isinstance(self.value, str):
            self.refuse("a text")
        return self.value

    def number(self, low: float = -np.inf, high: float = np.inf) -> float:
        """Return the value as a finite number in [low, high]."""
        known = isinstance(self.value, int | float | np.integer | np.floating)
        try:
            value = float(self.value) if known and not isinstance(self.value, bool) else np.nan
        except OverflowError:  # whole numbers know no end
            value = np.inf
        if not low <= value <= high or np.isinf(value):
            self.refuse(f"a number in [{low:g}, {high:g}]")
        return value

    def count(self) -> int:
        """Return the value as a whole number, not negative."""
        number = self.number(low=0)
        if number != int(number):
            self.refuse("a whole number")
        return int(number)

    def array(self, dimensions: int) -> NDArray[np.float64]:
        """Return finite numbers as an array of so many dimensions, none of them empty."""
        try:
            array = np.asarray(self.value)
        except (ValueError, TypeError):
            self.refuse(f"an array of {dimensions} dimensions")
        right = array.dtype.kind in "iuf" and array.ndim == dimensions and array.size > 0
        if not right or not np.isfinite(array).all():
            self.refuse(f"an array of {dimensions} dimensions with finite numbers")
        return array.astype(np.float64)

    def image(self) -> NDArray[np.uint8]:
        """Return a PNG in base64 as an array (H, W, 3), values 0..255."""
        try:
            raw = base64.b64decode(self.text(), validate=True)
            with Image.open(io.BytesIO(raw), formats=["PNG"]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    self.refuse(f"an image of at most {MOST_PIXELS} pixels")
                return np.asarray(picture.convert("RGB"))
        except (BadrepairError, MemoryError):
            raise
        except Exception:  # decoders raise what they like on damaged pictures
            self.refuse("a PNG image in base64")


def _describe(value: object) -> str:
    """Return a few words about a value, short whatever it is."""
    if isinstance(value, dict):
        return "an object with " + (", ".join(sorted(map(str, value))[:8]) or "no fields")
    if isinstance(value, list | tuple | np.ndarray):
        return f"a list of {len(value)}"
    return repr(value) if len(repr(value)) <= 40 else f"a {type(value).__name__}"
