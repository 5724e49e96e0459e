"""The `badrepair` command. Importing it is cheap: each command loads what it needs when it runs."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from badrepair import __version__
from badrepair.cli import console, stopping
from badrepair.cli.attack import attack
from badrepair.cli.bench import bench
from badrepair.cli.demo import demo
from badrepair.cli.evaluate import evaluate
from badrepair.cli.plot import plot
from badrepair.cli.predict import predict
from badrepair.cli.prune import prune
from badrepair.cli.repair import repair
from badrepair.cli.scan import scan
from badrepair.cli.strip import strip

USAGE = 2
# Typer brings its own copy of click in some versions: this is that copy's UsageError.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="badrepair",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"badrepair {__version__}")
        raise typer.Exit


@app.callback()
def badrepair(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Repair a backdoored Keras image classifier, guard it, and prove it.

    New here? [bold]badrepair demo[/bold] makes a backdoored network and repairs it, step by step.
    """


for command in (demo, scan, prune, strip, evaluate, predict, plot, bench):
    app.command()(command)
app.add_typer(attack, name="attack")
app.add_typer(repair, name="repair")


def main() -> None:
    """Run the command; a fault is one line on stderr and an exit code."""
    if sys.stdout is None:  # closed by the caller, who wants no data
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may know ASCII only
    with stopping.in_order():
        code = _exit_code()
    sys.exit(code)


def _exit_code() -> int:
    try:
        code = app(standalone_mode=False)
        return console.flushed(code if isinstance(code, int) else 0)
    except UsageError as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "badrepair"
        message = error.format_message()  # type: ignore[attr-defined]
        if message:  # none where no command was given: then the help is shown
            console.complain(f"error[Usage] {path}: {message}; hint: {path} --help")
        return USAGE
    except (typer.Abort, KeyboardInterrupt) as error:
        return stopping.exit_code_of(stopping.stop_behind(error) or error)
    except OSError as error:  # commands tell of their own: this is help that cannot be printed
        return console.unprintable(error)
    except SystemExit:  # so Typer ends where stdout is a pipe that nobody reads
        return console.closed_pipe()
