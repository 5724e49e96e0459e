"""Read a grid from GRID.toml; all that it names is looked up, so that no run ends over a typo."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from badrepair import datasets, own_methods, planting, registry
from badrepair.bench.grid import Architecture, Attack, Defense, Grid
from badrepair.bench.kinds import kind_of
from badrepair.errors import DataError, OptionError
from badrepair.files import require_file
from badrepair.models import architectures
from badrepair.models.judged import Training
from badrepair.planting import Recipe
from badrepair.settings import plain, settings_of, with_settings

Made = TypeVar("Made")
Table = Mapping[str, Any]

POISON_RATES = (0.1,)
CLEAN_IMAGES = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Top:
    """What stands above the tables.

    Args:
        data: Specs of data sets.
        name: What to call the grid.
        seeds: Each fixes the attack, the training and the defence.
        poison_rates: Shares of the training set that are poisoned.
        clean_images: How many images the defender holds.
        test_images: How many others measure.
        training_images: How many the attacker trains on.
    """

    data: Sequence[str]
    name: str
    seeds: Sequence[int] = (0,)
    poison_rates: Sequence[float] = POISON_RATES
    clean_images: int = CLEAN_IMAGES
    test_images: int | None = None
    training_images: int | None = None


_TABLES = ("architecture", "attack", "defense")


def read_grid(path: Path) -> Grid:
    """Return the grid that a file describes.

    Raises:
        InputMissingError: There is no such file, or a method's is not there.
        DataError: GridInvalid, with the place in the file.
    """
    content = _parsed(path)
    with _place(path, "the grid"):
        top = _top(content, path.stem)
        tables = {name: _tables(content, name) for name in _TABLES}
        for spec in top.data:
            kind, _, place = spec.partition(":")
            _require(kind, datasets.names(), "data")
            for file in [] if os.path.exists(place) else filter(None, place.split(",")):
                if not os.path.isdir(file):
                    require_file(Path(file))

    def made(name: str, make: Callable[[Table, _Top], Made]) -> tuple[Made, ...]:
        found = []
        for number, table in enumerate(tables[name], 1):
            with _place(path, f"[[{name}]] {number}"):
                found.append(make(table, top))
        return tuple(found)

    of_tables = (
        made("architecture", _architecture),
        made("attack", _attack),
        made("defense", _defense),
    )
    with _place(path, "the grid"):
        return Grid(
            name=top.name,
            data=tuple(top.data),
            seeds=tuple(top.seeds),
            architectures=of_tables[0],
            attacks=of_tables[1],
            defenses=of_tables[2],
        )


def _parsed(path: Path) -> Table:
    try:
        return tomllib.loads(require_file(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = f"expected TOML, found a fault: {error}"
        raise DataError("GridInvalid", path, problem) from error


@contextmanager
def _place(path: Path, place: str) -> Iterator[None]:
    """Say where in the file something is wrong."""
    try:
        yield
    except OptionError as error:
        # An option of the command is a key here; what else is named is a file or a method.
        is_option = error.where.startswith("--")
        where = error.where[2:].replace("-", "_") if is_option else error.where
        problem = f"{place}, {where}: {error.problem}"
        raise DataError("GridInvalid", path, problem, error.hint) from error


def _top(content: Table, name: str) -> _Top:
    known = [setting.name for setting in settings_of(_Top)]
    for key in content:
        _require(key, (*known, *_TABLES), "key")
    if "data" not in content:
        raise OptionError("OptionInvalid", "data", "expected a list of data sets, found none")
    own = {key: value for key, value in content.items() if key in known}
    top: _Top = with_settings(_Top, {"name": name, **own})
    return top


def _tables(content: Table, name: str) -> list[Table]:
    found = content.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise OptionError("OptionInvalid", name, f"expected tables [[{name}]], found others")
    return found


def _architecture(table: Table, top: _Top) -> Architecture:
    own = dict(table)
    name, label = _text(own, "name"), _text(own, "label", table.get("name"))
    if not Path(name).suffix:
        _require(name, architectures.names(), "name")
    else:
        require_file(Path(name))
    recipe = Recipe(
        architecture=name,
        training=with_settings(Training, {**dataclasses.asdict(planting.TRAINING), **own}),
        training_images=top.training_images,
        clean_images=top.clean_images,
        test_images=top.test_images,
    )
    return Architecture(label=label, recipe=recipe)


def _attack(table: Table, top: _Top) -> Attack:
    own = dict(table)
    method, label = _text(own, "method"), _text(own, "label", table.get("method"))
    given = {"poison_rates": own.pop("poison_rates", top.poison_rates)}
    rates = tuple(with_settings(_Rates, given).poison_rates)
    source = own_methods.own_source(method)
    kind = registry.load("attacks", method, source)
    for rate in rates:
        _made(kind, own, poison_rate=rate, seed=0)
    settings = _settings(kind, own, poison_rate=rates[0] if rates else 0.0, seed=0)
    return Attack(label=label, method=method, settings=settings, source=source, poison_rates=rates)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Rates:
    """The shares of an attack.

    Args:
        poison_rates: Each in (0, 1].
    """

    poison_rates: Sequence[float]

    def __post_init__(self) -> None:
        for rate in self.poison_rates:
            if not 0 < rate <= 1:
                problem = f"expected a value above 0 and at most 1, found {rate}"
                hint = "the clean control is there anyway"
                raise OptionError("OptionInvalid", "poison_rates", problem, hint)


def _defense(table: Table, top: _Top) -> Defense:
    own = dict(table)
    method, label = _text(own, "method"), _text(own, "label", table.get("method"))
    source = own_methods.own_source(method)
    kind = registry.load("defenses", method, source)
    return Defense(
        label=label,
        method=method,
        kind=kind_of(kind),
        settings=_settings(kind, own, seed=0),
        source=source,
    )


def _made(kind: type, own: Table, **of_grid: Any) -> Any:
    """Return a plug-in (Any: of its own class) with some settings, if it can have them."""
    for name in ("seed", "poison_rate"):
        if name in own:
            problem = f"expected no {name} here, found {own[name]!r:.60}"
            raise OptionError("OptionInvalid", name, problem, f"set {name}s above the tables")
    return with_settings(kind, {**own, **of_grid})


def _settings(kind: type, own: Table, **of_grid: Any) -> dict[str, Any]:
    """Return all settings but those of the grid: a default that changes is another method."""
    made = _made(kind, own, **of_grid)
    names = {setting.name for setting in settings_of(kind)} - {"seed", "poison_rate"}
    return {name: plain(getattr(made, name)) for name in sorted(names)}


def _text(own: dict[str, Any], name: str, otherwise: object = None) -> str:
    """Take a text out of a table."""
    found = own.pop(name, otherwise)
    if not isinstance(found, str) or not found:
        raise OptionError("OptionInvalid", name, f"expected a text, found {found!r:.60}")
    return found


def _require(name: str, known: Sequence[str], key: str) -> None:
    if name not in known:
        problem = f"expected one of {', '.join(known)}, found {name!r:.60}"
        raise OptionError("Unknown", key, problem)
