"""A command with one sub-command a plug-in, whose options are the settings of the plug-in."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from badrepair.cli import console
from badrepair.cli.command import takes
from badrepair.errors import BadrepairError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from badrepair.cli.options import RunOptions
    from badrepair.registry import Kind
    from badrepair.settings import Setting


class Methods(TyperGroup):
    """Finds the plug-ins of a kind; a class is loaded only once its command is asked for."""

    kind: ClassVar[Kind]
    options: ClassVar[type[RunOptions]]
    panel: ClassVar[str]
    # Settings that are options of the command already.
    shared: ClassVar[frozenset[str]] = frozenset()

    @staticmethod
    def run(method: str, options: Any) -> None:
        """Do what the command is for with one plug-in."""
        raise NotImplementedError

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the plug-ins of the package that the command is for."""
        from badrepair import registry

        return list(registry.names(cls.kind))

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the sub-commands."""
        return self.names()

    def get_command(self, ctx: Any, name: str) -> Any:
        """Return the command of a plug-in, of the package or the user's own."""
        if ctx.resilient_parsing or name in ctx.meta.get("listed", ()):
            return TyperCommand(name, short_help=summary_of(self.kind, name))
        try:
            return self._command(name)
        except BadrepairError as error:
            console.complain(str(error))
            raise typer.Exit(error.exit_code) from error

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what is typed behind the command's name."""
        return ["METHOD", "[OPTIONS]"]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help with a line for each plug-in, none of which is imported for it."""
        ctx.meta["listed"] = self.list_commands(ctx)
        super().format_help(ctx, formatter)

    def _command(self, name: str) -> Any:
        app = typer.Typer(
            rich_markup_mode="rich", add_completion=False, pretty_exceptions_enable=False
        )
        app.command(name)(self.function(name))
        return get_command(app)

    @classmethod
    def function(cls, name: str) -> Callable[..., None]:
        """Return the function behind a plug-in's command, which tells its options."""
        from badrepair import registry
        from badrepair.settings import settings_of

        plug_in = registry.load(cls.kind, name)
        settings = tuple(each for each in settings_of(plug_in) if each.name not in cls.shared)
        _require_free_names(cls.options, settings, name)
        options = _with_settings(cls.options, settings, cls.panel)

        def run(options: Any) -> None:
            cls.run(name, options)

        run.__name__ = name
        run.__doc__ = _help_of(plug_in)
        return takes(options)(run)


def chosen_settings(plug_in: type, options: Any) -> dict[str, Any]:
    """Return the settings of a plug-in that the options hold, as JSON knows them."""
    from badrepair.settings import settings_of

    return {each.name: _chosen(each, getattr(options, each.name)) for each in settings_of(plug_in)}


def summary_of(kind: Kind, name: str) -> str:
    """Return the first line of a plug-in's module, without importing it."""
    said = ast.get_docstring(_parsed(kind, name)) or ""
    return said.split("\n\n")[0].replace("\n", " ")


def about(kind: Kind, name: str) -> Mapping[str, str]:
    """Return what a plug-in's module says of it in `ABOUT`, without importing it."""
    for statement in _parsed(kind, name).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "ABOUT":
            found: dict[str, str] = ast.literal_eval(statement.value)
            return found
    return {}


def _parsed(kind: Kind, name: str) -> ast.Module:
    from badrepair.registry import PACKAGES

    package = PACKAGES[kind].__name__
    spec = importlib.util.find_spec(f"{package}.{name.replace('-', '_')}")
    if spec is None or spec.origin is None:
        return ast.Module(body=[], type_ignores=[])
    with open(spec.origin, encoding="utf-8") as file:
        return ast.parse(file.read())


def _help_of(plug_in: type) -> str:
    """Return what a plug-in is, and the paper that it comes from."""
    from rich.markup import escape

    module = inspect.getmodule(plug_in)
    words = inspect.cleandoc(getattr(module, "__doc__", None) or plug_in.__doc__ or "")
    return escape("\n\n".join(words.split("\n\n")[:2]))


def _chosen(setting: Setting, given: Any) -> Any:
    """Return what an option holds (Any: of any type) as JSON knows it; choices came as texts."""
    from badrepair.settings import plain

    if isinstance(given, list | tuple):
        return [_chosen(setting, each) for each in given]
    return {str(each): each for each in setting.choices}.get(given, plain(given))


def _require_free_names(
    options: type[RunOptions], settings: tuple[Setting, ...], method: str
) -> None:
    """Refuse a setting that would hide an option of the command."""
    taken = {field.name for field in dataclasses.fields(options)} | {"help"}
    for each in settings:
        if each.name in taken:
            problem = f"expected no field {each.name}: {each.option} is an option of the command"
            raise OptionError("MethodInvalid", method, problem, "give it another name")


def _with_settings(
    options: type[RunOptions], settings: tuple[Setting, ...], panel: str
) -> type[RunOptions]:
    """Return the options dataclass with a field for each setting."""
    fields = [
        (each.name, Annotated[_type_of(each), _option(each, panel)], _default_of(each))
        for each in settings
    ]
    made: type[RunOptions] = dataclasses.make_dataclass(
        options.__name__, fields, bases=(options,), frozen=True, kw_only=True
    )
    return made


def _type_of(setting: Setting) -> Any:
    texts = tuple(map(str, setting.choices))
    kind: Any = Literal[texts] if texts else setting.kind
    if setting.repeated:  # Typer knows no lists of choices: they are looked at when they are read
        kind = list[str] if texts else list[kind]
    return kind | None if setting.optional else kind


def _option(setting: Setting, panel: str) -> Any:
    from rich.markup import escape

    names = [setting.option] if setting.kind is bool and not setting.default else []
    said = [escape(setting.explanation.rstrip(".")), "repeatable" * setting.repeated]
    text = "".join(["; ".join(filter(None, said)), "." * any(said)])
    values = "|".join(map(str, setting.choices)) if setting.repeated else ""
    return typer.Option(*names, metavar=values or None, help=text, rich_help_panel=panel)


def _default_of(setting: Setting) -> Any:
    default = setting.default
    if default is None or not setting.repeated:
        return str(default) if setting.choices and default is not None else default
    values = [str(each) if setting.choices else each for each in setting.read(default)]
    return dataclasses.field(default_factory=lambda: list(values))
