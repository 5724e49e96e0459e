"""Every hostile file is refused with its code: nothing runs, is written, read, imported or asked.

One process opens them all, with canaries around it and in the confined reader.
"""

from __future__ import annotations

import pytest
from apart import listing, reports_of
from corpus import HOSTILE, LOADED, make
from honest import HONEST
from timing import Built

from badrepair import scanning

pytestmark = pytest.mark.slow

MOST_MEGABYTES, MOST_SECONDS = 600, 5


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Return what came of every file, by name."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = {}
    for number, (name, maker) in enumerate(HONEST.items()):
        own = folder / f"honest{number}"
        own.mkdir()
        paths[f"honest {name}"] = maker(own)
    paths |= make(HOSTILE, folder)
    before = listing(folder)
    found = reports_of("open_all.py", given=[(name, str(path)) for name, path in paths.items()])
    assert listing(folder) == before
    return {one["name"]: one for one in found}


def test_there_are_at_least_120_hostile_files():
    assert len(HOSTILE) >= 120


@pytest.mark.parametrize("name", HONEST)
def test_the_honest_file_from_which_hostile_ones_are_made_loads(reports, name):
    report = reports[f"honest {name}"]
    assert (report["code"], report["found"], report["canaries"]) == ("", [], [])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_its_code_and_nothing_happens(reports, name):
    report, code = reports[name], HOSTILE[name][1]
    assert report["canaries"] == []
    assert report["code"] == ("" if code in LOADED else code)
    assert len(report["line"].splitlines()) == (0 if code in LOADED else 1)
    assert report["line"].isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_scan_finds_what_loading_refuses(reports, name):
    report, code = reports[name], HOSTILE[name][1]
    found = report["found"]
    assert report["scan_line"].isprintable()
    if isinstance(code, Built):
        assert isinstance(found, list) or found == code
    elif found == code:
        assert code in scanning.UNREADABLE | {"NotAFile"}
    else:
        assert code in (found or [""])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_takes_neither_memory_nor_time(reports, name):
    report = reports[name]
    assert report["grown"] < MOST_MEGABYTES
    assert report["child"] < MOST_MEGABYTES
    assert max(report["seconds"]) < MOST_SECONDS
