"""`badrepair repair METHOD`: mend a network with one of many methods, or several in a row."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import typer

from badrepair.cli.methods import Methods, about, chosen_settings
from badrepair.cli.options import DefenseOptions, Guard, MaxAsr, MinAccuracy, Model, Output
from badrepair.registry import Kind
from badrepair.starting import start_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ("needs", "good at", "defeated by", "minutes")
COSTS = "minutes: of one core, for a network of 61,000 weights and 500 clean images."


@dataclass(frozen=True, kw_only=True)
class RepairOptions(DefenseOptions):
    """Options of `badrepair repair METHOD`, besides the settings of the method."""

    model: Model
    output: Output
    guard: Guard = False
    max_asr: MaxAsr = None
    min_accuracy: MinAccuracy = None


class Repairs(Methods):
    """One sub-command a repair."""

    kind: ClassVar[Kind] = "defenses"
    options: ClassVar[type[DefenseOptions]] = RepairOptions
    panel: ClassVar[str] = "The repair"
    shared: ClassVar[frozenset[str]] = frozenset({"batch_size", "seed"})

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the repairs of the package."""
        return [name for name in super().names() if about(cls.kind, name)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help, and what each repair needs and can do."""
        from rich.console import Console
        from rich.table import Table

        super().format_help(ctx, formatter)
        table = Table("METHOD", *COLUMNS, box=None, pad_edge=False, header_style="bold")
        for name in self.names():
            told = about(self.kind, name)
            table.add_row(name, *(told.get(column, "") for column in COLUMNS))
        Console().print(table, COSTS)

    @classmethod
    def function(cls, name: str) -> Callable[..., None]:
        """Return the function behind a repair's command; a repair imports TensorFlow."""
        start_tensorflow()
        return super().function(name)

    @staticmethod
    def run(method: str, options: Any) -> None:
        """Mend the network, measure, and write it with its record."""
        started = time.monotonic()
        from badrepair import own_methods, registry
        from badrepair.settings import with_settings

        source = own_methods.own_source(method)
        plug_in = registry.load("defenses", method, source)
        defense = with_settings(plug_in, chosen_settings(plug_in, options))
        from badrepair.cli.mending import run

        run(method, defense, options, started)


repair = typer.Typer(
    cls=Repairs,
    no_args_is_help=True,
    help="Mend a model: METHOD is one of those below, A+B for one after the other, or FILE.py with"
    " a repair of your own.\n\nNo method sees poisoned data: files of it only measure.",
)
