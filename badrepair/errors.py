"""What can go wrong for a user, each kind with the exit code that the command returns.

The command prints an error as one line:
`error[Code] where: what was expected and what was found; hint: what to do`.
"""

from __future__ import annotations

from typing import ClassVar


class BadrepairError(Exception):
    """A fault that the user can understand and mend.

    Args:
        code: One CamelCase word that names the fault, stable between versions.
        where: The file, option or layer that is at fault.
        problem: What was expected and what was found.
        hint: What to do about it; empty if there is nothing to add.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, code: str, where: object, problem: str, hint: str = "") -> None:
        self.code = code
        self.where = str(where)
        self.problem = problem
        self.hint = hint
        super().__init__(code, self.where, problem, hint)

    def __str__(self) -> str:
        hint = f"; hint: {self.hint}" if self.hint else ""
        return f"error[{self.code}] {self.where}: {self.problem}{hint}"


class OptionError(BadrepairError):
    """An option, or a combination of options, that makes no sense."""

    exit_code = 2


class DataError(BadrepairError):
    """A data file, or what is in it, cannot be used."""

    exit_code = 65


class ModelError(BadrepairError):
    """A model file, or the network in it, cannot be used."""

    exit_code = 65


class InputMissingError(BadrepairError):
    """An input file is not there or may not be read."""

    exit_code = 66


class ResourceError(BadrepairError):
    """The machine has too little memory or disk for what was asked."""

    exit_code = 69


class OutputError(BadrepairError):
    """An output exists already or cannot be created."""

    exit_code = 73


class WriteError(BadrepairError):
    """Writing an output failed half-way; nothing of it was left behind."""

    exit_code = 74


class LockedError(BadrepairError):
    """An output is being written by another run."""

    exit_code = 75


def require_option(option: str, holds: bool, expected: str, found: object) -> None:
    """Refuse a value that an option cannot have.

    Args:
        option: Its name, such as `--max-drop`.
        holds: Whether it can have the value.
        expected: What a value must be, such as "a share in [0, 1]".
        found: The value.

    Raises:
        OptionError: OptionInvalid.
    """
    if not holds:
        raise OptionError("OptionInvalid", option, f"expected {expected}, found {found}")
