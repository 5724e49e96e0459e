"""Write `cli.md` from the options that every command declares, which are what `--help` shows.

Run it with `make cli-docs`. It reads the declarations, not the drawing of `--help`, which depends
on the terminal and on the version of Typer.
"""

from __future__ import annotations

import inspect
import textwrap
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from rich.text import Text

from badrepair.cli import app
from badrepair.cli.methods import summary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).with_name("cli.md")
WIDTH, COLUMN = 80, 32
HEAD = """\
# The command

This page is made by `make cli-docs` from the same declarations as `badrepair --help` and the
`--help` of every command; a test fails when it is out of date.

Results go to stdout, messages and progress to stderr. The exit codes are listed under
[data and models](data-and-models.md#exit-codes).
"""


def page() -> str:
    """Return the whole of `cli.md`."""
    functions = {command.callback.__name__: command.callback for command in app.registered_commands}
    groups = {group.name: group.typer_instance.info for group in app.registered_groups}
    entries = [(name, _first_sentence(function.__doc__)) for name, function in functions.items()]
    entries += [(name, _first_sentence(group.help)) for name, group in groups.items()]
    of_all = _entries("Commands", entries)
    parts = _parts(
        "badrepair [OPTIONS] COMMAND [OPTIONS]...", app.registered_callback.callback, of_all
    )
    sections = [_section("badrepair", parts)]
    for name, function in functions.items():
        arguments = [argument.metavar for argument in _declared(function, "ArgumentInfo").values()]
        usage = " ".join([f"badrepair {name} [OPTIONS]", *arguments])
        sections.append(_section(name, _parts(usage, function)))
    for name, group in groups.items():
        sections += _group(name, group)
    return "\n".join([HEAD, *sections])


def _group(name: str, group: Any) -> Iterator[str]:
    """Yield the section of a command with plug-ins, and one for what is each one's own."""
    methods = {method: group.cls.function(method) for method in group.cls.names()}
    entries = [(method, summary_of(group.cls.kind, method)) for method in methods]
    first = next(iter(methods.values()))
    shared = [panel for panel in _panels(first) if not panel.startswith(group.cls.panel)]
    words = [textwrap.fill(part, WIDTH) for part in group.help.split("\n\n")]
    usage = f"Usage: badrepair {name} METHOD [OPTIONS]"
    yield _section(name, [usage, *words, _entries("Methods", entries), *shared])
    for method, function in methods.items():
        usage, *rest = _parts(f"badrepair {name} {method} [OPTIONS]", function)
        own = [part for part in rest if part.startswith(group.cls.panel)]
        words = [part for part in rest if part not in _panels(function)]
        title = f"{name} {method}"
        yield _section(title, [usage, *words, *own, f"And the options of badrepair {name}."])


def _parts(usage: str, function: Callable[..., None], *more: str) -> list[str]:
    words = [Text.from_markup(part).plain for part in inspect.getdoc(function).split("\n\n")]
    filled = [textwrap.fill(part, WIDTH) for part in words]
    return [f"Usage: {usage}", *filled, *_panels(function), *more]


def _section(title: str, parts: list[str]) -> str:
    return f"## {title}\n\n```text\n" + "\n\n".join(filter(None, parts)) + "\n```\n"


def _entries(title: str, entries: list[tuple[str, str]]) -> str:
    return "\n".join([f"{title}:", *(_entry(*entry) for entry in entries)])


def _panels(function: Callable[..., None]) -> list[str]:
    """Return the arguments, and the options of every panel in the order of `--help`."""
    panels: dict[str, list[str]] = {}
    for info in _declared(function, "ArgumentInfo").values():
        panels.setdefault("Arguments", []).append(_entry(info.metavar, info.help))
    signature = inspect.signature(function, eval_str=True)
    for name, info in _declared(function, "OptionInfo").items():
        entry = _option(signature.parameters[name], info)
        panels.setdefault(info.rich_help_panel or "Options", []).append(entry)
    return [f"{title}:\n" + "\n".join(entries) for title, entries in panels.items()]


def _declared(function: Callable[..., None], kind: str) -> dict[str, Any]:
    """Return what `typer.Option` or `typer.Argument` made, by name of the parameter."""
    hints = inspect.get_annotations(function, eval_str=True)
    infos = {
        name: get_args(hint)[1] for name, hint in hints.items() if get_origin(hint) is Annotated
    }
    return {name: info for name, info in infos.items() if type(info).__name__ == kind}


def _option(parameter: inspect.Parameter, info: Any) -> str:
    kind = next(_plain_types(get_args(parameter.annotation)[0]))
    # Inside Annotated, the first name takes the place of the default.
    spelt = [name for name in (info.default, *(info.param_decls or ())) if name is not ...]
    names = ", ".join(sorted(spelt or [f"--{parameter.name.replace('_', '-')}"], key=len))
    label = names if kind is bool else f"{names} {info.metavar or _values(kind)}"
    notes = list(_limits(info))
    if parameter.default is inspect.Parameter.empty:
        notes.append("required")
    elif parameter.default not in (None, []) and kind is not bool:
        default = getattr(parameter.default, "value", parameter.default)
        notes.append(
            f"default: {', '.join(map(str, default)) if isinstance(default, list) else default}"
        )
    return _entry(label, " ".join([info.help, *(f"[{note}]" for note in notes)]))


def _plain_types(hint: Any) -> Iterator[type]:
    """Yield the classes in a hint such as `list[Path] | None`."""
    if not get_args(hint) or get_origin(hint) is Literal:
        yield hint
        return
    for part in get_args(hint):
        yield from _plain_types(part)


def _values(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if issubclass(kind, Enum):
        return "|".join(member.value for member in kind)
    return {int: "INTEGER", float: "NUMBER"}.get(kind, "TEXT")


def _limits(info: Any) -> Iterator[str]:
    if info.min is not None:
        yield f"at least {info.min}"
    if info.max is not None:
        yield f"at most {info.max}"


def _first_sentence(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _entry(name: str, meaning: str) -> str:
    """Return a name and what it means in two columns; a long name has its own line."""
    indent = " " * COLUMN
    wrapped = textwrap.wrap(meaning, WIDTH - COLUMN)
    label = f"  {name}"
    if len(label) + 2 > COLUMN:
        return "\n".join([label, *(indent + line for line in wrapped)])
    return "\n".join([label.ljust(COLUMN) + wrapped[0], *(indent + line for line in wrapped[1:])])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
