"""GRID.toml: what it says, what is refused, and what the keys of networks and cells depend on."""

from __future__ import annotations

import pytest

from badrepair.bench.grid_file import read_grid
from badrepair.bench.keys import file_digests
from badrepair.errors import DataError, InputMissingError
from badrepair.planting import TRAINING, Recipe

QUICK = """
name = "quick"
data = ["digits"]
seeds = [0, 1]
poison_rates = [0.1, 0.01]
clean_images = 300
test_images = 200
[[architecture]]
name = "small-cnn"
epochs = 5
[[attack]]
method = "badnets"
size = 2
[[attack]]
method = "badnets"
label = "many"
poison_rates = [0.2]
[[defense]]
method = "fine-pruning"
label = "pruning"
epochs = 0
[[defense]]
method = "strip"
"""

METHOD = '''
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Mine:
    """A method.

    Args:
        strength: How much.
        seed: Fixes all.
    """

    strength: float = 0.5
    seed: int = 0

    def repair(self, model, clean):
        return None
'''


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Return a function that reads a grid from a text, in which some words may be others."""
    monkeypatch.chdir(tmp_path)

    def read(text=QUICK, *changes):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "GRID.toml").write_text(text)
        return read_grid(tmp_path / "GRID.toml")

    return read


def keys(grid):
    return {tuple(vars(cell.labels).values()): cell.key for cell in grid.cells}


def test_the_grid_is_all_with_all_and_the_controls_seed_by_seed(read):
    grid = read()
    settings = [("none", 0.0), ("badnets", 0.1), ("badnets", 0.01), ("many", 0.2)]
    assert [tuple(vars(cell.labels).values()) for cell in grid.cells] == [
        ("digits", "small-cnn", attack, rate, defense, seed)
        for seed in (0, 1)
        for attack, rate in settings
        for defense in ("none", "pruning", "strip")
    ]
    assert len(grid.nets) == 8
    assert {(cell.defense.label, cell.defense.kind) for cell in grid.cells} == {
        ("none", "none"),
        ("pruning", "repair"),
        ("strip", "detector"),
    }


def test_a_recipe_is_one_that_is_planted(read):
    recipe = Recipe.from_json(read().nets[5].recipe)
    assert (recipe.data, recipe.architecture, recipe.attack) == ("digits", "small-cnn", "badnets")
    assert (recipe.poison_rate, recipe.seed, recipe.settings["size"]) == (0.1, 1, 2)
    assert (recipe.clean_images, recipe.test_images, recipe.training_images) == (300, 200, None)
    assert (recipe.training.epochs, recipe.training.patience) == (5, TRAINING.patience)
    assert not {"seed", "poison_rate"} & set(recipe.settings)
    control = Recipe.from_json(read().nets[4].recipe)
    assert (control.attack, control.poison_rate, dict(control.settings)) == ("none", 0.0, {})


def test_a_job_says_all_that_a_worker_needs(read):
    job = read().cells[4].job
    assert job["cell"]["defense"] == "pruning"
    assert (job["defense"]["method"], job["defense"]["source"]) == ("fine-pruning", None)
    assert job["defense"]["settings"]["epochs"] == 0
    assert (job["net"], job["seed"]) == (read().nets[1].key, 0)


def test_what_is_not_said_has_a_default(read):
    grid = read('data = ["digits"]\n[[architecture]]\nname = "small-cnn"')
    assert (grid.name, grid.seeds, len(grid.cells)) == ("GRID", (0,), 1)
    assert grid.nets[0].recipe["clean_images"] == 500


def test_the_same_grid_has_the_same_keys_and_no_two_are_alike(read):
    found = keys(read())
    assert found == keys(read())
    assert len(set(found.values())) == len(found) == 24
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in found.values())


@pytest.mark.parametrize(
    "change",
    [
        ('label = "pruning"', 'label = "other"'),
        ('name = "quick"', 'name = "slow"'),
        ("size = 2", 'size = 2\nlabel = "small"'),
        ('method = "strip"', 'method = "strip"\nfrr = 0.01'),  # as it is anyway
    ],
)
def test_names_and_what_is_so_anyway_change_no_key(read, change):
    assert list(keys(read()).values()) == list(keys(read(QUICK, change)).values())


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (("clean_images = 300", "clean_images = 301"), 24),
        (("epochs = 5", "epochs = 6"), 24),
        (("size = 2", "size = 3"), 12),
        (("epochs = 0", "epochs = 1"), 8),
        (('method = "strip"', 'method = "strip"\nfrr = 0.2'), 8),
    ],
)
def test_what_decides_about_a_cell_changes_its_key_and_that_of_no_other(read, change, changed):
    before, after = keys(read()), keys(read(QUICK, change))
    assert sum(before[cell] != after[cell] for cell in before) == changed


def test_a_method_of_the_users_own_is_run_again_when_it_is_edited(read, tmp_path):
    (tmp_path / "mine.py").write_text(METHOD)
    own = ('method = "strip"', 'method = "mine.py"\nlabel = "mine"\nstrength = 1')
    grid = read(QUICK, own)
    cell = grid.cells[2]
    assert cell.job["defense"] == {
        "method": "mine.py",
        "settings": {"strength": 1.0},
        "source": METHOD,
    }
    (tmp_path / "mine.py").write_text(METHOD.replace("None", "1"))
    again = keys(read(QUICK, own))
    assert sum(again[one] != key for one, key in keys(grid).items()) == 8


def test_a_data_file_with_another_content_makes_other_keys(read, tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"one")
    own = ('data = ["digits"]', 'data = ["npz:mine.npz"]')
    before = keys(read(QUICK, own))
    (tmp_path / "mine.npz").write_bytes(b"two")
    after = keys(read(QUICK, own))
    assert not set(before.values()) & set(after.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('name = "quick"', "nome = 1"), ["the grid, key", "'nome'", "seeds"]),
        (("seeds = [0, 1]", 'seeds = "0"'), ["the grid, seeds", "a whole number"]),
        (("seeds = [0, 1]", "seeds = [1, 1]"), ["seeds", "1", "twice"]),
        (("seeds = [0, 1]", "seeds = []"), ["seeds", "none"]),
        (("seeds = [0, 1]", "seeds = [-1]"), ["seed", "0 or more"]),
        (('data = ["digits"]', 'data = ["letters"]'), ["data", "fashion-mnist", "'letters'"]),
        (('data = ["digits"]', ""), ["data", "none"]),
        (("clean_images = 300", "clean_images = 0"), ["clean_images", "1 or more"]),
        (("poison_rates = [0.1, 0.01]", "poison_rates = [2]"), ["[[attack]] 1", "poison_rates"]),
        (("poison_rates = [0.2]", "poison_rates = [0]"), ["[[attack]] 2", "clean control"]),
        (
            ('name = "small-cnn"', 'name = "big"'),
            ["[[architecture]] 1, name", "small-cnn", "'big'"],
        ),
        (("epochs = 5", "epoch = 5"), ["[[architecture]] 1", "epoch", "learning_rate"]),
        (("epochs = 5", "epochs = -5"), ["[[architecture]] 1, epochs", "0 or more"]),
        (('method = "badnets"', 'method = "nets"'), ["[[attack]] 1, nets", "badnets"]),
        (('method = "badnets"', ""), ["[[attack]] 1, method", "a text"]),
        (("size = 2", "sise = 2"), ["[[attack]] 1, sise", "margin"]),
        (("size = 2", "size = 2\nseed = 1"), ["[[attack]] 1, seed", "above the tables"]),
        (("epochs = 0", "epochs = 0.5"), ["[[defense]] 1, epochs", "a whole number, found 0.5"]),
        (('label = "many"', 'label = "badnets"'), ["attack", "badnets", "twice"]),
        (('label = "pruning"', 'label = "none"'), ["defense", "none", "twice"]),
        (('method = "strip"', 'method = "fine-pruning"\nepochs = 0'), ["fine-pruning", "pruning"]),
        (("[[architecture]]", "[architecture]"), ["architecture", "[[architecture]]"]),
        (("seeds = [0, 1]", "seeds = [0, 1"), ["expected TOML"]),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_with_its_place(read, change, words):
    with pytest.raises(DataError) as caught:
        read(QUICK, change)
    told = str(caught.value)
    assert caught.value.code == "GridInvalid"
    assert "GRID.toml" in told
    assert "\n" not in told
    for word in words:
        assert word in told, told


@pytest.mark.parametrize(
    "change", [('method = "strip"', 'method = "mine.py"'), ('"small-cnn"', '"mine.keras"')]
)
def test_a_file_that_is_named_must_be_there(read, change):
    with pytest.raises(InputMissingError, match="mine"):
        read(QUICK, change)


def test_a_grid_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputMissingError):
        read_grid(tmp_path / "GRID.toml")


def test_another_content_of_a_trigger_picture_is_another_network(tmp_path):
    picture = tmp_path / "trigger.png"
    recipe = Recipe(settings={"trigger": [str(picture)]})
    keys = []
    for content in (b"one", b"two", b"one"):
        picture.write_bytes(content)
        keys.append(list(file_digests(recipe)))
    assert keys[0] == keys[2] != keys[1]
    assert len(keys[0]) == 1
