"""What the pages show of a method of one's own takes part as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from badrepair import registry
from badrepair.bench.grid_file import read_grid

DOCS = Path(__file__).parents[1] / "docs"
LONGEST_EXAMPLE = 30


def block(page, language, number=0):
    found = re.findall(
        rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.S | re.M
    )
    return found[number]


def test_the_defence_of_the_page_is_as_short_as_it_says_and_a_method():
    code = block("own-method.md", "python")
    assert len(code.splitlines()) <= LONGEST_EXAMPLE
    made = registry.make("defenses", "shrink.py", {"factor": 0.8, "seed": 1}, code)
    assert (type(made).__name__, made.factor) == ("Shrink", 0.8)


def test_the_attack_of_the_page_is_a_method():
    made = registry.make("attacks", "mine.py", {"amount": 80}, block("attacks.md", "python"))
    assert (type(made).__name__, made.amount) == ("Brighter", 80)


def test_the_grid_of_the_bench_s_page_is_one(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(block("bench.md", "toml"))
    grid = read_grid(path)
    # Three seeds; the control, badnets at two rates, and two triggers at one.
    assert len(grid.nets) == 3 * 4
    assert len(grid.cells) == 3 * 4 * 3


@pytest.mark.parametrize("name", sorted(path.name for path in (DOCS.parent / "grids").iterdir()))
def test_the_grids_that_come_along_can_be_read(name):
    assert read_grid(DOCS.parent / "grids" / name).cells


@pytest.mark.slow
def test_the_defence_of_the_page_takes_part_in_the_grid_of_the_page(tmp_path, monkeypatch):
    from cli.terminal import done

    monkeypatch.chdir(tmp_path)
    (tmp_path / "shrink.py").write_text(block("own-method.md", "python"))
    (tmp_path / "mine.toml").write_text(block("own-method.md", "toml"))
    done("bench", "mine.toml", "-o", "mine")
    text = (tmp_path / "mine" / "cells.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    own = [line for line in lines if line["cell"]["defense"] == "shrink.py"]
    assert [line["status"] for line in own] == ["done", "done"]
    # Smaller weights before a softmax change how sure an answer is, and rarely which it is.
    for line in own:
        fall = line["before"]["accuracy"]["value"] - line["after"]["accuracy"]["value"]
        assert abs(fall) < 0.02
