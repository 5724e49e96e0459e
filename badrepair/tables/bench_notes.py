"""What was found in a bench and stands in no column, by name, as sentences below a leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.bench_cells import attack_name, rate_name, share
from badrepair.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from badrepair.bench.standing import Scope
    from badrepair.bench.summary import Summary

MOST_NAMED = 6


def found_notes(summary: Summary, scope: Scope) -> tuple[str, ...]:
    """Return what is remarkable in a part of the grid, and what lacks; empty if nothing is."""
    return (
        *_idle(summary, scope),
        *_lowering(summary, scope),
        *_made_to_work(summary, scope),
        *_gaps(summary, scope),
    )


def never_worked(summary: Summary, scope: Scope) -> list[str]:
    """Return the attacks in a part of the grid that do not work on undefended networks."""
    settings = set(summary.attacked(scope))
    idle = [
        one.setting
        for one in summary.results
        if one.setting in settings and one.undefended is not None and not one.works
    ]
    return [attack_name(setting, on=scope) for setting in dict.fromkeys(idle)]


def lowered_accuracy(summary: Summary, scope: Scope) -> list[str]:
    """Return the attacks that lower clean accuracy, each with by how much, most first."""
    settings = set(summary.attacked(scope))
    return [
        f"{attack_name(setting, on=scope)} ({points(drop)})"
        for setting, drop in summary.lowering().items()
        if setting in settings
    ]


def points(difference: float, digits: int = 1) -> str:
    """Return a difference of shares as `2.5 points`."""
    return f"{100 * difference:.{digits}f} points"


def _idle(summary: Summary, scope: Scope) -> Iterator[str]:
    if never := never_worked(summary, scope):
        yield (
            f"{len(never)} of {_attacks(summary, scope)} never worked, with a mean ASR of"
            f" {rate_name(summary.works_above)} or less without a defence: {_named(never)}."
        )


def _lowering(summary: Summary, scope: Scope) -> Iterator[str]:
    if lowering := lowered_accuracy(summary, scope):
        yield (
            f"{len(lowering)} of {_attacks(summary, scope)} with a clean accuracy drop of more than"
            f" {points(summary.drop_above, 0)}: without a defence, the network answers so much"
            " fewer clean images right than its clean control; one that answers anything with the"
            f" target counts as an attack that works. They stay in the numbers: {_named(lowering)}."
        )


def _made_to_work(summary: Summary, scope: Scope) -> Iterator[str]:
    """Yield which attacks work with a defence alone, those that work best first."""
    settings = set(summary.attacked(scope))
    found = [
        (one.measures["attack_success_rate"].mean, one)
        for one in summary.results
        if one.setting in settings and one.made_to_work
    ]
    named = [
        f"{one.defense}: {attack_name(one.setting, on=scope)} ({share(success)})"
        for success, one in sorted(found, key=lambda pair: -pair[0])
    ]
    if named:
        yield (
            f"{counted(len(named), 'case')} of an attack made to work, with a mean ASR of"
            f" {rate_name(summary.works_above)} or less without a defence and more with it; not"
            f" among the attacks left: {_named(named)}."
        )


def _gaps(summary: Summary, scope: Scope) -> Iterator[str]:
    standings = summary.within(scope)
    planned, done = (sum(getattr(one, of) for one in standings) for of in ("planned", "done"))
    failed = sum(one.failed for one in standings)
    if done < planned:
        yield (
            f"{done} of {planned} cells: {failed} failed and {planned - done - failed} are missing;"
            " a mean is over those that are there."
        )


def _attacks(summary: Summary, scope: Scope) -> str:
    return counted(len(summary.attacked(scope)), "attack")


def _named(found: Sequence[str]) -> str:
    """Return the first few names, and how many there are besides."""
    more = len(found) - MOST_NAMED
    named = "; ".join(found[:MOST_NAMED])
    return f"{named}; and {more} more" if more > 0 else named
