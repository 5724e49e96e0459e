"""Families of triggers that a backdoor might answer to, each with one trigger a suspect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

# Keras and TensorFlow ship no types, so tensors and variables are Any in this package.


class Family(Protocol):
    """Triggers of one kind, which can be trained."""

    @property
    def variables(self) -> Sequence[Any]:
        """Return what is trained; whatever values it has, the triggers stay within bounds."""

    def stamped(self, images: Any, which: Any) -> Any:
        """Return images (n, H, W, C) with the triggers of the suspects `which`, shape (n,)."""

    def excess(self) -> Any:
        """Return by how much triggers are larger than they may be, a scalar to be kept at 0."""
