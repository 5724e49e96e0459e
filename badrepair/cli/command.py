"""How a command of badrepair runs: options as a dataclass, faults as one line and an exit code."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_type_hints

import typer

from badrepair.cli import console, stopping
from badrepair.cli.options import DATA, MODEL, OUTPUT, RUN, RunOptions
from badrepair.errors import BadrepairError

Options = TypeVar("Options", bound=RunOptions)

INTERNAL = 70
NO_RESOURCES = 69
DISK_FAULTS = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO}
GATE_MISSED = 1


def takes(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Turn a function of an options dataclass into one that Typer can read and call.

    Every field is an option; its `typer.Option` stands in the field's annotation.
    """

    def decorate(function: Callable[[Options], None]) -> Callable[..., None]:
        def command(**values: Any) -> None:
            _run(function, options(**values))

        hints = get_type_hints(options, include_extras=True)
        for hint in hints.values():
            # Typer would end with 2 on a file that may not be read; `files` does it with 66.
            hint.__metadata__[0].readable = False
        parameters = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=hints[field.name],
                default=_default(field),
            )
            for field in sorted(dataclasses.fields(options), key=lambda f: _place(f, hints[f.name]))
        ]
        command.__name__ = function.__name__
        command.__doc__ = function.__doc__
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def _place(field: dataclasses.Field[Any], annotation: Any) -> tuple[int, bool]:
    """Return where an option stands in --help: panels of one command in the middle."""
    panel = getattr(annotation.__metadata__[0], "rich_help_panel", None)
    place = {MODEL: 0, DATA: 1, OUTPUT: 3, RUN: 4}.get(str(panel), 2)
    # What a command is about, and what it writes, come first.
    return place, field.name not in {"model", "output"}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _run(function: Callable[[Options], None], options: Options) -> None:
    console.set_quiet(options.quiet)
    console.set_verbose(options.verbose)
    try:
        with console.drawing():
            function(options)
    except typer.Exit:
        raise
    except KeyboardInterrupt as stop:
        raise _ended(stop) from None
    except BrokenPipeError:
        raise
    except Exception as error:
        if (behind := stopping.stop_behind(error)) is not None:
            raise _ended(behind) from None
        if options.debug:
            traceback.print_exc(file=sys.stderr)
        line, code = _explain(error)
        console.complain(line)
        raise typer.Exit(code) from None


def pass_gate(missed: Sequence[str]) -> None:
    """Exit with 1 if models miss what the user set.

    Args:
        missed: One line each.
    """
    if missed:
        console.complain("gate missed: " + "; ".join(missed))
        raise typer.Exit(GATE_MISSED)


def _ended(stop: BaseException) -> typer.Exit:
    """Say that a run was stopped, and how to go on if that was noted; return its end."""
    hints = "".join(f"; hint: {note}" for note in getattr(stop, "__notes__", ()))
    console.complain(
        f"error[Interrupted] badrepair: stopped by {stopping.word_of(stop)};"
        f" nothing was written by this step{hints}"
    )
    return typer.Exit(stopping.exit_code_of(stop))


def _explain(error: Exception) -> tuple[str, int]:
    if isinstance(error, BadrepairError):
        return str(error), error.exit_code
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return (
            "error[OutOfMemory] badrepair: the machine has too little memory for this run;"
            " hint: give a smaller --batch-size, or --limit",
            NO_RESOURCES,
        )
    if isinstance(error, OSError) and error.errno in DISK_FAULTS:
        return f"error[WriteFailed] badrepair: {error.strerror}", console.WRITE_FAILED
    from badrepair.models.keras_words import in_one_line

    return (
        f"error[Internal] badrepair: {type(error).__name__}: {in_one_line(error)};"
        " hint: run again with --debug and report the traceback",
        INTERNAL,
    )
