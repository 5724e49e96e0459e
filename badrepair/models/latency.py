"""Measure how long answers take, for one image at a time and for many."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras
    from numpy.typing import NDArray

    from badrepair.views import Images

    Answers = Callable[[NDArray[np.float32]], object]

SINGLE, MANY, ROUNDS = 20, 100, 3


@dataclass(frozen=True)
class Latency:
    """How long an image takes.

    Args:
        alone: Milliseconds an image where each is asked for alone; the median.
        among_many: Milliseconds an image where a hundred are asked for together; the median.
    """

    alone: float
    among_many: float


def latencies(answers: Mapping[str, Answers], images: Images) -> dict[str, Latency]:
    """Return how long each way to answer takes, measured in turns.

    Args:
        answers: By name; each takes images (n, H, W, C).
        images: The first hundred count.
    """
    many = np.asarray(images[: min(MANY, len(images))], np.float32)
    singles = [many[row : row + 1] for row in range(min(SINGLE, len(many)))]
    for answer in answers.values():
        answer(many[:1])
    alone = {name: [_seconds(answer, one) for one in singles] for name, answer in answers.items()}
    together: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(ROUNDS):
        for name, answer in answers.items():
            together[name].append(_seconds(answer, many) / len(many))
    return {
        name: Latency(1000 * float(np.median(alone[name])), 1000 * float(np.median(times)))
        for name, times in together.items()
    }


def of_keras(model: keras.Model, images_a_call: int) -> Answers:
    """Return how a network answers in calls of so many images."""
    call: Any = tf.function(lambda images: model(images, training=False), autograph=False)

    def answer(images: NDArray[np.float32]) -> object:
        return [call(part).numpy() for part in batches(images, images_a_call)]

    return answer


def of_onnx(content: bytes, images_a_call: int) -> Answers:
    """Return how an ONNX file's content answers in calls of so many images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def answer(images: NDArray[np.float32]) -> object:
        return [session.run(None, {name: part}) for part in batches(images, images_a_call)]

    return answer


def _seconds(answer: Answers, images: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    answer(images)
    return time.perf_counter() - start
