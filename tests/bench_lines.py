"""Lines of a grid that nobody ran, for the tests of what is made of them."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from itertools import product

import numpy as np

from badrepair import metrics
from badrepair.bench.line import (
    NONE,
    After,
    Before,
    Cell,
    Cost,
    Detected,
    Failure,
    Line,
    TriggerAfter,
    TriggerBefore,
    TriggerDetected,
)
from badrepair.bench.page import page
from badrepair.bench.summary import summarise
from badrepair.types import Estimate, Rate

NETWORKS = (("digits", "small-cnn"), ("fashion-mnist", "resnet-20"))
# How well each attack works undefended, at 1 % and at 10 %.
ATTACKS = {
    "badnets": (0.97, 1.0),
    "blended": (0.82, 0.99),
    "label-consistent": (0.04, 0.31),
    "two-triggers": (0.74, 0.96),
    "wanet": (0.12, 0.93),
}
RATES = (0.01, 0.1)
SEEDS = (0, 1, 2)
# What is left of the attack success, and what it costs of the clean accuracy.
REPAIRS = {"anp": (0.12, 0.021), "fine-pruning": (0.09, 0.012), "fine-tuning": (0.71, 0.003)}
# AUROC of the scores, and the false rejections.
DETECTORS = {"max-softmax": (0.78, 0.012), "strip": (0.96, 0.011)}
DEFENSES = (NONE, *REPAIRS, *DETECTORS)
KINDS = {NONE: "none", **dict.fromkeys(REPAIRS, "repair"), **dict.fromkeys(DETECTORS, "detector")}


def cell(defense=NONE, *, attack="badnets", rate=0.1, seed=0, network=NETWORKS[0]):
    """Return a cell of one network."""
    data, architecture = network
    return Cell(
        data=data,
        architecture=architecture,
        attack=attack,
        poison_rate=rate,
        defense=defense,
        seed=seed,
    )


def rate(value, n=1000):
    """Return the share with its interval."""
    low, high = metrics.wilson(value * n, n)
    return Rate(float(value), n, float(min(low, value)), float(max(high, value)))


def done(
    where,
    *,
    accuracy=(0.97, 0.97),
    success=(1.0, 1.0),
    triggers=("trigger",),
    detection=None,
    rejected=None,
    cost=(2.0, 800.0),
):
    """Return the line of a cell that has a result.

    Args:
        where: The cell.
        accuracy: Before and after.
        success: Before and after; after, one number or one a trigger.
        triggers: Their names; none in a clean control.
        detection: AUROC of every trigger; None for what is no detector.
        rejected: False rejection rate of a detector.
        cost: Seconds and MiB.
    """
    names = () if where.control else triggers
    successes = np.broadcast_to(success[1], len(names))
    after = tuple(
        TriggerAfter(
            name=name,
            attack_success_rate=rate(left),
            detection_rate=None if detection is None else rate(1 - left),
            recovered_accuracy=rate((1 - left) * accuracy[1]),
            defense_effectiveness=metrics.defense_effectiveness(*accuracy, success[0], left),
        )
        for name, left in zip(names, successes, strict=True)
    )
    return Line(
        key=digest(where),
        cell=where,
        net=digest(where.data, where.architecture, where.attack, where.poison_rate, where.seed),
        kind=KINDS[where.defense],
        status="done",
        before=before(accuracy[0], success[0], names),
        after=After(
            accuracy=rate(accuracy[1]),
            false_rejection_rate=None if rejected is None else rate(rejected),
            attacks=after,
        ),
        detection=None if detection is None else detected(detection, rejected, names),
        choices={"why": "it was best on clean images"},
        fingerprint=hashlib.sha256(digest(where).encode()).hexdigest(),
        cost=Cost(seconds=cost[0], peak_mib=cost[1]),
    )


def failed(where, code="TooFewImages", message="expected 99 clean images, found 50"):
    """Return the line of a cell that ended in an error."""
    return Line(
        key=digest(where),
        cell=where,
        net=digest(where.data, where.seed),
        kind=KINDS[where.defense],
        status="failed",
        error=Failure(code=code, message=message),
        cost=Cost(seconds=0.5, peak_mib=None),
    )


def before(accuracy, success, names):
    attacks = tuple(
        TriggerBefore(name=name, attack_success_rate=rate(success), recovered_accuracy=rate(0.0))
        for name in names
    )
    return Before(accuracy=rate(accuracy), attacks=attacks)


def detected(area, rejected, names):
    attacks = tuple(
        TriggerDetected(
            name=name,
            auroc=Estimate(area, area - 0.01 * area, area + 0.01 * (1 - area)),
            true_positive_rate_at_1=rate(area**4),
            true_positive_rate_at_5=rate(area**2),
            false_acceptance_rate=rate(1 - area**4),
        )
        for name in names
    )
    return Detected(false_rejection_rate=rate(rejected), attacks=attacks)


def digest(*parts):
    """Return 16 hexadecimal digits that differ with what is given."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def grid(networks=NETWORKS, attacks=ATTACKS, defenses=DEFENSES, seeds=SEEDS):
    """Return all cells of a grid with clean controls, as it would plan them."""
    poisoned = [(attack, share) for share, attack in product(RATES, attacks)]
    return [
        cell(defense, attack=attack, rate=share, seed=seed, network=network)
        for seed, network, (attack, share) in product(seeds, networks, [(NONE, 0.0), *poisoned])
        for defense in defenses
    ]


def realistic(cells=None):
    """Return lines as an unfinished run might have left them: some failed, the last missing."""
    cells = grid() if cells is None else cells
    lines = []
    for where in cells[: -len(cells) // 24 or None]:
        fails = where.defense == "strip" and where.attack == "wanet" and where.seed == 1
        lines.append(failed(where) if fails else measured(where))
    return lines


def measured(where):
    """Return the line of a cell with numbers such as one meets, the same every time."""
    random = np.random.default_rng(zlib.crc32(repr(where).encode()))
    shared = np.random.default_rng(zlib.crc32(repr((where.data, where.seed)).encode()))
    accurate = (0.978 if where.data == "digits" else 0.912) + 0.004 * shared.normal()
    works = 0.0 if where.control else ATTACKS[where.attack][RATES.index(where.poison_rate)]
    works = float(np.clip(works + 0.02 * shared.normal(), 0, 1))
    left, lost = REPAIRS.get(where.defense, (1.0, 0.0))
    area, rejected = DETECTORS.get(where.defense, (None, None))
    if area is not None:
        area = float(np.clip(area - 0.25 * (where.attack == "wanet") * random.random(), 0, 1))
        rejected = max(0.0, rejected + 0.004 * random.normal())
        left, lost = 1 - area**4, rejected
    if where.defense == "fine-pruning" and where.attack == "blended":
        left = 0.85
    if where.defense != NONE:
        left = float(np.clip(left + 0.05 * random.normal(), 0, 1))
        lost += 0.004 * random.normal()
    two = ("patch", "blend") if where.attack == "two-triggers" else ("trigger",)
    return done(
        where,
        accuracy=(round(accurate, 3), round(min(1.0, accurate - lost), 3)),
        success=(round(works, 3), np.round(np.array([1.0, 0.4])[: len(two)] * works * left, 3)),
        triggers=two,
        detection=area,
        rejected=None if rejected is None else round(rejected, 3),
        cost=(round(float(random.gamma(4, 3)), 2), round(700 + 60 * float(random.random()), 1)),
    )


def page_of(lines, planned=(), **more):
    """Return the page of some lines."""
    return page(summarise(lines, planned), lines, **more)


def realistic_page():
    """Return the page of an unfinished run."""
    cells = grid()
    return page_of(realistic(cells), cells, title="quick", clean_images=500)


def replace_defense(line, defense):
    """Return the line as that of a defence of another name."""
    return dataclasses.replace(line, cell=dataclasses.replace(line.cell, defense=defense))
