"""Say what trust in a model file let through, so that a record can hold it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair.files import sha256
from badrepair.models.gate.opened import Opened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from badrepair.confinement.finding import Finding


@dataclass(frozen=True)
class Trusted:
    """A file in which layers passed that are not known.

    Args:
        path: The file.
        sha256: Its digest, in hexadecimal.
        let_through: What would have been refused without trust.
    """

    path: Path
    sha256: str
    let_through: tuple[Finding, ...]


def trusted_files(paths: Sequence[Path], trusted: Collection[str]) -> list[Trusted]:
    """Return those of the files in which trust let something through.

    Args:
        paths: Files and folders; those of models were loaded with the same trust before.
        trusted: `sha256:` and the digest of files that the user trusts.
    """
    if not trusted:
        return []
    files = [(path, sha256(path)) for path in paths if os.path.isfile(path)]
    found = [
        Trusted(path, digest, _let_through(path, trusted))
        for path, digest in files
        if f"sha256:{digest}" in trusted
    ]
    return [one for one in found if one.let_through]


def _let_through(path: Path, trusted: Collection[str]) -> tuple[Finding, ...]:
    with Opened(path) as opened:
        opened.require_harmless(trusted=trusted)
        return opened.let_through
