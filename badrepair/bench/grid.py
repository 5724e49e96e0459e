"""A grid: which networks to train, each with its backdoor, and which defences to try on them.

Seeds come first in its order: when a run is cut short, all that was asked for has been measured
on some seeds, rather than some of it on all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from badrepair.bench import line
from badrepair.bench.keys import file_digests, key_of
from badrepair.errors import OptionError, require_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from badrepair.planting import Recipe


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network to train.

    Args:
        label: What to call it in tables.
        recipe: How to make it; data, attack and seed are filled in.
    """

    label: str
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An attack to plant.

    Args:
        label: What to call it in tables.
        method: Name of the plug-in, or the user's own file.
        settings: All of its settings but the rate and the seed, plain values.
        source: Text of the user's own file.
        poison_rates: Shares of the training set that it changes.
    """

    label: str
    method: str
    settings: Mapping[str, Any]
    source: str | None
    poison_rates: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Defense:
    """A defence to try.

    Args:
        label: What to call it in tables.
        method: Name of the plug-in, or the user's own file.
        kind: What it does.
        settings: All of its settings but the seed, plain values.
        source: Text of the user's own file.
    """

    label: str
    method: str
    kind: line.Kind
    settings: Mapping[str, Any]
    source: str | None


# The clean control, and the network as it is: they are in every grid.
NO_ATTACK = Attack(label=line.NONE, method=line.NONE, settings={}, source=None, poison_rates=(0.0,))
NO_DEFENSE = Defense(label=line.NONE, method=line.NONE, kind="none", settings={}, source=None)


@dataclass(frozen=True, kw_only=True)
class Net:
    """A network to train.

    Args:
        labels: What it is called in tables.
        recipe: Everything that decides about it, as plain values.
        files: Digests of the files that the recipe names.
    """

    labels: line.Cell
    recipe: Mapping[str, Any]
    files: tuple[str, ...]

    @cached_property
    def key(self) -> str:
        """Return the digest of what decides about it."""
        return key_of([self.recipe, self.files])


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A defence to try on a network.

    Args:
        net: The network.
        defense: The defence.
    """

    net: Net
    defense: Defense

    @property
    def labels(self) -> line.Cell:
        """Return what it is called in tables."""
        return replace(self.net.labels, defense=self.defense.label)

    @cached_property
    def key(self) -> str:
        """Return the digest of what decides about it; labels do not."""
        return key_of([self.net.key, self._method])

    @property
    def job(self) -> dict[str, Any]:
        """Return what a worker needs to know of it, as plain values."""
        return {
            "cell": vars(self.labels),
            "net": self.net.key,
            "defense": self._method,
            "seed": self.labels.seed,
        }

    @property
    def _method(self) -> dict[str, Any]:
        own = self.defense
        return {"method": own.method, "settings": dict(own.settings), "source": own.source}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is combined with what: all with all.

    Args:
        name: What to call it.
        data: Specs of data sets.
        architectures: The networks.
        attacks: Without the clean control, which is there anyway.
        defenses: Without the network as it is, which is there anyway.
        seeds: Each fixes the attack, the training and the defence.
    """

    name: str
    data: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    attacks: tuple[Attack, ...]
    defenses: tuple[Defense, ...]
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        for option, found in {
            "data": self.data,
            "architecture": [one.label for one in self.architectures],
            "attack": [one.label for one in (NO_ATTACK, *self.attacks)],
            "defense": [one.label for one in (NO_DEFENSE, *self.defenses)],
            "seeds": self.seeds,
            **{f"poison_rates of {one.label}": one.poison_rates for one in self.attacks},
        }.items():
            require_option(option, bool(found), "a value for at least one thing", "none")
            twice = [one for one in found if list(found).count(one) > 1]
            require_option(option, not twice, "a value that stands once", f"{twice[:1]} twice")
        self._require_difference()

    @property
    def clean_images(self) -> int:
        """Return how many clean images the defender holds."""
        return self.architectures[0].recipe.clean_images

    @cached_property
    def nets(self) -> tuple[Net, ...]:
        """Return the networks, in order."""
        return tuple(
            _net(data, architecture, attack, poison_rate, seed)
            for seed, data, architecture in product(self.seeds, self.data, self.architectures)
            for attack in (NO_ATTACK, *self.attacks)
            for poison_rate in attack.poison_rates
        )

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Return the cells, in order: those of a network together."""
        defenses = (NO_DEFENSE, *self.defenses)
        return tuple(Cell(net=net, defense=one) for net, one in product(self.nets, defenses))

    def _require_difference(self) -> None:
        """Refuse things that are called differently and are the same: they would be run twice."""
        seen: dict[str, Cell] = {}
        for cell in self.cells:
            other = seen.setdefault(cell.key, cell)
            if other is not cell:
                called, before = (" / ".join(_words(one)) for one in (cell, other))
                problem = f"expected different cells, found that {called} is {before}"
                raise OptionError("OptionInvalid", "grid", problem, "leave one of them out")


def _net(
    data: str, architecture: Architecture, attack: Attack, poison_rate: float, seed: int
) -> Net:
    recipe = replace(
        architecture.recipe,
        data=data,
        attack=attack.method,
        settings=attack.settings,
        source=attack.source,
        poison_rate=poison_rate,
        seed=seed,
    )
    labels = line.Cell(
        data=data,
        architecture=architecture.label,
        attack=attack.label,
        poison_rate=poison_rate,
        defense=line.NONE,
        seed=seed,
    )
    return Net(labels=labels, recipe=recipe.to_json(), files=tuple(file_digests(recipe)))


def _words(cell: Cell) -> Iterator[str]:
    return map(str, vars(cell.labels).values())
