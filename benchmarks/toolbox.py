"""STRIP of adversarial-robustness-toolbox, as a side of the benchmark, and what it saw.

Read in release 1.20.1: it takes the entropy along the samples instead of the classes, so that it
says how evenly a class is spread over the mixes; it draws overlays anew for every image, unseeded
and with repetition, from the very images that its threshold is fitted on, the image itself among
them; the threshold is a quantile of a normal fit; and where it abstains it answers zeros, of which
argmax makes class 0. Its own answers with their entropy along the classes, and a threshold in its
manner, stand beside it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sides import answer
from strip_sides import FRR, OVERLAYS, loaded, timer
from tinted_digits import KINDS, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def art(folder: Path) -> None:
    """Run STRIP of adversarial-robustness-toolbox."""
    from art.defences.transformer.poisoning import STRIP
    from art.estimators.classification import KerasClassifier
    from scipy.stats import norm

    model, traffic = loaded(folder)
    # It draws from the global generator, and seeds nothing.
    np.random.seed(0)  # noqa: NPY002
    guarded = STRIP(KerasClassifier(model))(num_samples=OVERLAYS, false_acceptance_rate=FRR)
    clean = np.load(folder / "fit.npy")
    thresholds = {}

    def fit() -> None:
        seen = entropies_seen(lambda: guarded.mitigate(clean))[1]
        thresholds["art"] = guarded.entropy_threshold
        thresholds["art_along_classes"] = norm.ppf(FRR, *norm.fit(seen["art_along_classes"]))

    def judge(images: int) -> dict[str, float]:
        judged: dict[str, dict[str, Any]] = {name: {} for name in thresholds}
        answers = {}
        for kind in KINDS:
            show = partial(guarded.predict, traffic[kind][:images])
            answers[kind], seen = entropies_seen(show)
            for name, bits in seen.items():
                judged[name] |= {kind: bits, f"flagged_{kind}": bits <= thresholds[name]}
            # It abstains by zeros.
            judged["art"][f"flagged_{kind}"] = ~answers[kind].any(axis=1)
        for name, arrays in judged.items():
            np.savez(folder / f"{name}.npz", **arrays)
        fooled = answers["poisoned"].argmax(axis=1) == TARGET
        return {
            "art_attack_success_by_argmax": float(fooled.mean()),
            **{f"art_nan_{k}": float(np.isnan(judged["art"][k]).mean()) for k in KINDS},
        }

    fit()
    answer(time=timer(guarded.predict, traffic["clean"], 20), judge=judge)


def entropies_seen(work: Callable[[], Any]) -> tuple[Any, dict[str, np.ndarray]]:
    """Return what a work of the toolbox returns, and the entropies on the way.

    They are its own, and those along the classes of the same answers, as it averages them.
    """
    from unittest.mock import patch

    from scipy.stats import entropy

    seen: list[tuple[float, float]] = []

    def noted(answers: np.ndarray, base: int, axis: int) -> np.ndarray:
        its = entropy(answers, base=base, axis=axis)
        seen.append((its.sum() / OVERLAYS, entropy(answers, base=base, axis=1).mean()))
        return its

    with patch("art.estimators.poison_mitigation.strip.strip.entropy", noted):
        returned = work()
    return returned, dict(zip(("art", "art_along_classes"), np.array(seen).T, strict=True))
