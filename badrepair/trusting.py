"""Say what trust in a model file let through, so that a record can hold it."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair.files import sha256
from badrepair.models.gate.opened import Opened
from badrepair.models.gate.trust import digests

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from badrepair.confinement.finding import Finding

log = logging.getLogger(__name__)

KIND = "sha256:"


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
    wanted = digests(trusted)
    found = [
        Trusted(path, digest.removeprefix(KIND), _let_through(path, wanted))
        for path, digest in _digested(paths, wanted)
        if digest in wanted
    ]
    return [one for one in found if one.let_through]


def warn_of_strangers(paths: Sequence[Path | None], trusted: Collection[str]) -> None:
    """Log a warning for every digest that is of none of the files: it was mistyped, or is old.

    Args:
        paths: The files of models; None and what is no file is passed over.
        trusted: `sha256:` and the digest of files that the user trusts.

    Raises:
        OptionError: `BadDigest`.
    """
    wanted = digests(trusted)
    known = {digest for _, digest in _digested(paths, wanted)}
    for digest in sorted(wanted - known):
        log.warning("--trust-model %s is the digest of none of the model's files", digest)


def _digested(paths: Sequence[Path | None], wanted: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Yield files and their digests; none if none is wanted, since reading them takes time."""
    for path in paths if wanted else ():
        if path is not None and os.path.isfile(path):
            yield path, f"{KIND}{sha256(path)}"


def _let_through(path: Path, trusted: Collection[str]) -> tuple[Finding, ...]:
    with Opened(path) as opened:
        opened.require_harmless(trusted=trusted)
        return opened.let_through
