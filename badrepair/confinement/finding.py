"""What is found in a file: where, what is wrong with it, and how bad that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from badrepair.words import printable

Severity = Literal["refused", "warning"]
# So many are told: a made-up file can have any number of them.
MOST_FINDINGS = 100


@dataclass(frozen=True)
class Finding:
    """One thing that is found in a file.

    Args:
        code: One CamelCase word that names the fault, as in errors.
        where: What is at fault, such as `layer conv_1` or `/model_weights/conv_1`; may be empty.
        problem: What was expected and what was found.
        hint: What to do about it; empty if there is nothing to add.
        path: Where in the file's JSON, such as `config.layers[3]`; may be empty.
        severity: "refused": the file is not loaded; "warning": it is, and this is not used.
    """

    code: str
    where: str
    problem: str
    hint: str = ""
    path: str = ""
    severity: Severity = "refused"

    @property
    def sentence(self) -> str:
        """Return all but the hint in one line that steers no terminal: names are the file's."""
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return printable(f"{text} (at {self.path})" if self.path else text)[:400]
