"""What Keras's own `load_model` does with attacks is what the page says; a new Keras shows up here.

The page is `docs/measured/hostile-files.md`, written by `docs/hostile_table.py`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("hostile_table", DOCS / "hostile_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def measured(script):
    return rows(script.page())


def rows(page):
    """Return what Keras and badrepair did, by attack; the head tells Keras's version."""
    cells = [line.strip("| ").split(" | ") for line in page.splitlines()]
    return {first: rest for first, *rest in cells}


def test_keras_and_badrepair_do_with_each_attack_what_the_page_says(script, measured):
    """If Keras has changed, run docs/hostile_table.py and look at what is different."""
    assert measured == rows(script.PAGE.read_text("utf-8"))


def test_some_attacks_work_on_keras_and_none_on_badrepair(measured):
    keras, badrepair = zip(*list(measured.values())[2:], strict=True)
    assert sum(cell != "refused" for cell in keras) >= 10
    harmless = ("refused: `", "never reads it; `scan` tells: `")
    assert all(cell.startswith(harmless) for cell in badrepair)
