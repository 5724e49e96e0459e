"""The summary of a bench as one web page that needs no network: all of it stands in the file."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from badrepair.bench.facts import facts
from badrepair.bench.scatter import ANY, rate_of, scatter
from badrepair.tables.bench import control_table, detector_table, expense_table, failure_table
from badrepair.tables.bench_attacks import attack_table
from badrepair.tables.bench_cells import FAILED, MISSING, network_name, rate_name
from badrepair.tables.bench_leaderboard import leaderboard_table, meaning
from badrepair.tables.bench_notes import points
from badrepair.tables.bench_success import success_cell
from badrepair.tables.table import NOT_APPLICABLE
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.bench.line import Line
    from badrepair.bench.result import Result
    from badrepair.bench.standing import Scope
    from badrepair.bench.summary import Summary
    from badrepair.tables.table import Table

HEAT_STEPS = 10
NUMBER = re.compile(r"-?\d[\d.]*( .*)?")
SHARE = re.compile(r"([\d.]+) %.*")
HEATED = frozenset(("ASR", "worst ASR"))
BLANK = frozenset((MISSING, FAILED, NOT_APPLICABLE))


class Column(NamedTuple):
    """A column: its name, the word for it in an address, and whether it holds numbers."""

    name: str
    slug: str
    numeric: bool


class Shown(NamedTuple):
    """A cell.

    Args:
        text: What it says.
        spread: What stands behind ±, if anything.
        step: Its step on the heat scale, if any.
        rank: The number to sort by where that is not the first of its text.
    """

    text: str
    spread: str = ""
    step: int | None = None
    rank: int | None = None


class Sheet(NamedTuple):
    """A table on the page."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Shown, ...], ...]
    notes: tuple[str, ...]


class Board(NamedTuple):
    """The leaderboard of a part of the grid."""

    network: str
    rate: str
    sheet: Sheet


class Heat(NamedTuple):
    """A row of the heat map: an attack and what is left of it under each defence."""

    network: str
    attack: str
    rate: str
    cells: tuple[Shown, ...]


def page(
    summary: Summary,
    lines: Sequence[Line],
    *,
    title: str = "Bench",
    command: str = "",
    clean_images: int | None = None,
) -> str:
    """Return the page as HTML; the same lines give the same text.

    Args:
        summary: What the lines come to.
        lines: Those that it was made of.
        title: The name of the grid.
        command: What repeats the run; empty if it is not known.
        clean_images: How many clean images a defence was given; None if it is not known.
    """
    environment = Environment(
        loader=PackageLoader("badrepair.bench", ""),
        # Names in the lines may come from strangers.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_controls,
    )
    style, script = _asset("page.css"), _asset("page.js")
    return environment.get_template("page.html.j2").render(
        title=title,
        command=command,
        clean_images=clean_images,
        facts=facts(summary, lines),
        works_above=rate_name(summary.works_above),
        drop_above=points(summary.drop_above, 0),
        boards=[_board(summary, scope) for scope in summary.scopes],
        networks=[one for one in _networks(summary) if one != ANY],
        rates=list(dict.fromkeys(rate_of(one) for one in summary.scopes if one.poison_rate)),
        plot=scatter(summary),
        defenses=summary.defenses,
        heat=_heat_map(summary),
        sheets=_sheets(summary),
        any=ANY,
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
    )


def _board(summary: Summary, scope: Scope) -> Board:
    network = ANY if len(_networks(summary)) == 1 else network_name(scope)
    sheet = _sheet(leaderboard_table(summary, scope), meaning(summary))
    left = [column.name for column in sheet.columns].index("attacks left")
    ranked = tuple(
        (
            *row[:left],
            row[left]._replace(rank=one.to_rank if one.threats else None),
            *row[left + 1 :],
        )
        for row, one in zip(sheet.rows, summary.within(scope), strict=True)
    )
    return Board(network, rate_of(scope), sheet._replace(rows=ranked))


def _networks(summary: Summary) -> list[str]:
    return list(dict.fromkeys(network_name(scope) for scope in summary.scopes))


def _sheets(summary: Summary) -> list[Sheet]:
    """Return the tables below the heat map; one without rows is left out."""
    makes = (attack_table, detector_table, control_table, expense_table, failure_table)
    return [_sheet(table) for table in (make(summary) for make in makes) if table.rows]


def _sheet(table: Table, explained: tuple[str, ...] = ()) -> Sheet:
    """Return a table without those notes that stand elsewhere on the page."""
    columns = tuple(
        Column(name, _slug(name), _numeric([row[index] for row in table.rows]))
        for index, name in enumerate(table.columns)
    )
    rows = tuple(
        tuple(_shown(name, cell) for name, cell in zip(table.columns, row, strict=True))
        for row in table.rows
    )
    return Sheet(
        table.title, columns, rows, tuple(one for one in table.notes if one not in explained)
    )


def _shown(column: str, cell: str) -> Shown:
    """Return a cell of a table of text; a share of attacks that succeed has a place in the heat."""
    text, _, spread = cell.partition(" ± ") if NUMBER.fullmatch(cell) else (cell, "", "")
    found = SHARE.fullmatch(cell) if column in HEATED else None
    return Shown(text, spread, None if found is None else _step(float(found[1]) / 100))


def _heat_map(summary: Summary) -> list[Heat]:
    found = {(one.setting, one.defense): one for one in summary.results}
    return [
        Heat(
            network_name(setting),
            setting.attack,
            rate_name(setting.poison_rate),
            tuple(_heated(found.get((setting, defense))) for defense in summary.defenses),
        )
        for setting in summary.attacked()
    ]


def _heated(result: Result | None) -> Shown:
    success = None if result is None else result.measures.get("attack_success_rate")
    return Shown(success_cell(result), step=None if success is None else _step(success.mean))


def _step(share: float) -> int:
    """Return which of the equal steps from 0 to 100 % a share falls into."""
    return min(HEAT_STEPS - 1, int(round(share, 9) * HEAT_STEPS))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _numeric(cells: Sequence[str]) -> bool:
    """Return whether a column is in the order of numbers rather than of letters."""
    return all(cell in BLANK or NUMBER.fullmatch(cell) for cell in cells)


def _without_controls(value: object) -> object:
    """Return a text in which what does not print is written out; it could turn a line around."""
    return printable(value) if type(value) is str else value


def _asset(name: str) -> str:
    return resources.files("badrepair.bench").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    """Return the digest by which a browser knows that this, and nothing else, may run."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
