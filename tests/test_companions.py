"""What stands beside an output is named after it, however long that name is."""

from __future__ import annotations

from pathlib import Path

import pytest

from badrepair.companions import companion


def test_a_neighbour_has_the_name_of_the_output_in_its_own():
    assert companion(Path("out/net.keras"), ".{}.lock") == Path("out/.net.keras.lock")


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "a{}" * 85])
def test_a_long_name_is_told_by_a_part_and_a_digest(tmp_path, name):
    found = companion(tmp_path / name, "{}.checkpoint")
    found.touch()
    assert found.name.startswith(name[:40])
    assert found.suffix == ".checkpoint"
    assert found != companion(tmp_path / f"{name[:-1]}b", "{}.checkpoint")


def test_the_longest_name_that_fits_stays_whole():
    name = "a" * 250
    assert companion(Path(name), "{}.part").name == f"{name}.part"
