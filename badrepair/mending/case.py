"""A network to be mended, and all that its repair may look at: clean images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from badrepair.mending.shortlist import shortlist
from badrepair.models import inference
from badrepair.models.judged import held_out_of
from badrepair.models.logits import logits_model
from badrepair.models.surgery import copy_model
from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import keras
    from numpy.typing import NDArray

    from badrepair.mending.deadline import Deadline
    from badrepair.types import Dataset, Labels
    from badrepair.views import Array


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network to be mended, and what its repair may look at.

    Args:
        before: The network as it was given. Nobody changes it.
        tuning: Clean images to work with.
        held_out: Clean images that only choose.
        deadline: When to end.
        batch_size: Images a call where nothing is trained.
        seed: Fixes every random choice.
    """

    before: keras.Model
    tuning: Dataset
    held_out: Dataset
    deadline: Deadline
    batch_size: int
    seed: int

    @classmethod
    def of(
        cls,
        model: keras.Model,
        clean: Dataset,
        *,
        held_out: float,
        deadline: Deadline,
        batch_size: int,
        seed: int,
    ) -> Case:
        """Return the case of a network, with a share of the clean images held out.

        Raises:
            DataError: TooFewImages.
        """
        tuning, chooses = held_out_of(clean, held_out, seed=seed)
        return cls(
            before=model,
            tuning=tuning,
            held_out=chooses,
            deadline=deadline,
            batch_size=batch_size,
            seed=seed,
        )

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return int(self.before.output_shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (H, W, C) of an image."""
        return tuple(self.tuning.images.shape[1:])

    @cached_property
    def pixels(self) -> tuple[float, float]:
        """Return the darkest and the lightest value that a clean image has; they differ."""
        parts = [(part.min(), part.max()) for part in batches(self.tuning.images, self.batch_size)]
        lows, highs = zip(*parts, strict=True)
        low, high = float(min(lows)), float(max(highs))
        return low, high if high > low else low + 1.0

    @cached_property
    def right_before(self) -> NDArray[np.bool_]:
        """Return which held-out images the network answered rightly before its repair."""
        return self.right(self.before)

    @property
    def baseline(self) -> float:
        """Return the network's accuracy on the held-out images before its repair."""
        return float(self.right_before.mean())

    @cached_property
    def suspected(self) -> Labels:
        """Return the classes that a backdoor might aim at, in increasing order."""
        return shortlist(self)

    def student(self) -> keras.Model:
        """Return a copy that answers logits, to be trained; `mended` makes a network of it."""
        return logits_model(self.before)

    def mended(self, weights: Sequence[Array]) -> keras.Model:
        """Return a network like the one that was given, with the weights of a student."""
        network = copy_model(self.before)
        network.set_weights(weights)
        return network

    def right(self, network: keras.Model) -> NDArray[np.bool_]:
        """Return which held-out clean images a network answers rightly, shape (n,)."""
        images = self.held_out.images
        found = inference.answers(
            network, images, batch_size=self.batch_size, label="held-out accuracy"
        )
        right: NDArray[np.bool_] = found == self.held_out.labels
        return right

    def accuracy(self, network: keras.Model) -> float:
        """Return the share of held-out clean images that a network answers rightly."""
        return float(self.right(network).mean())

    def drawn(self, size: int, *, stream: int = 0) -> Iterator[tuple[Array, Labels]]:
        """Yield batches of the tuning images without end, in a new order in every pass.

        Args:
            size: Images a batch; all there are if there are fewer.
            stream: Another one is another order.
        """
        random = np.random.default_rng([self.seed, stream])
        total, size = len(self.tuning), min(size, len(self.tuning))
        left = np.empty(0, np.int64)
        while True:
            if len(left) < size:
                left = np.concatenate([left, random.permutation(total)])
            rows, left = left[:size], left[size:]
            images = np.asarray(self.tuning.images[np.sort(rows)], np.float32)
            yield images, np.asarray(self.tuning.labels[np.sort(rows)], np.int64)
