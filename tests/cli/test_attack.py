"""`badrepair attack METHOD`: a network with a backdoor, the data to find it with, and the truth."""

from __future__ import annotations

import dataclasses
import json
import shlex

import pytest
from bars import spec
from PIL import Image

from badrepair import records, registry
from badrepair.cli.attack import AttackOptions
from badrepair.planted_names import CARD, CLEAN, MODEL, PAIRS, TEST
from badrepair.planting import TRAINING
from cli.stored import arrays_in
from cli.terminal import assert_complaint, assert_refused, done, listing, run, spawn

QUICK = ("--epochs", 12, "--patience", 0, "--learning-rate", 0.003, "--tuning-batch", 16)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return ("--data", spec(tmp_path_factory.mktemp("bars")), "--clean-images", 60)


@pytest.fixture(scope="module")
def attacked(data, tmp_path_factory):
    """Return what the command printed, and the folder that it filled."""
    folder = tmp_path_factory.mktemp("attacked") / "net"
    words = ("--target", 2, "--poison-rate", 0.2, *data, *QUICK)
    return done("attack", "badnets", *words, "-o", folder), folder


@pytest.fixture(scope="module")
def card(attacked):
    return json.loads((attacked[1] / CARD).read_text())


def test_everything_that_a_defender_needs_and_the_truth_are_in_the_folder(attacked):
    names = {path.name for path in attacked[1].iterdir()}
    assert names == {MODEL, CLEAN, TEST, "poisoned.h5", CARD, PAIRS}


def test_the_table_says_how_good_the_network_is_and_how_well_the_backdoor_works(attacked):
    outcome, _ = attacked
    assert any(line.startswith("badnets  clean") for line in outcome.lines)
    assert any(line.startswith("trigger") for line in outcome.lines)


def test_the_notes_say_what_was_poisoned_and_what_to_type_next(attacked):
    outcome, folder = attacked
    assert "seed 0; 46 of 228 training images poisoned" in outcome.err
    assert "training ended after 12 epochs" in outcome.err
    step = shlex.split(outcome.err.partition("next: badrepair ")[2])
    repaired = folder.parent / "repaired.keras"
    assert step[-2:] == ["-o", "repaired.keras"]
    done(*step[:-1], repaired, "--epochs", 1)
    assert repaired.exists()


def test_the_poisoned_file_holds_targets_and_the_true_labels_beside(attacked):
    poisoned, test = (arrays_in(attacked[1] / name) for name in ("poisoned.h5", TEST))
    assert set(poisoned["label"]) == {2}
    assert poisoned["true_label"].tolist() == [each for each in test["label"] if each != 2]
    assert poisoned["data"].shape == (60, 1, 16, 16)
    assert "true_label" not in test


def test_the_card_tells_trigger_target_rate_seed_and_accuracies(card):
    recipe = card["recipe"]
    assert (recipe["attack"], recipe["poison_rate"], recipe["seed"]) == ("badnets", 0.2, 0)
    assert recipe["settings"]["trigger"] == ["checkerboard"]
    assert card["triggers"] == [
        {"name": "trigger", "file": "poisoned.h5", "target_of_class": [2, 2, 2]}
    ]
    counts = {"training": 228, "poisoned": 46, "cover": 0, "clean": 60, "test": 90}
    assert card["images"] == {**counts, "poison_rate": 46 / 228}
    assert card["measured"]["clean"]["accuracy"] > 0.95
    assert card["measured"]["attacks"][0]["attack_success_rate"] > 0.95
    assert card["training"]["epoch"] > 0


def test_the_card_knows_the_networks_file(attacked, card):
    digest = records.identity(attacked[1] / MODEL)["sha256"]
    assert (card["measured"]["path"], card["measured"]["sha256"]) == (MODEL, digest)


def test_the_same_seed_writes_the_same_files(attacked, data, tmp_path):
    words = ("--target", 2, "--poison-rate", 0.2, *data, *QUICK)
    done("attack", "badnets", *words, "-o", tmp_path / "again")
    for path in attacked[1].iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_the_picture_can_be_drawn_again_from_the_card(attacked, tmp_path):
    done("plot", attacked[1] / CARD, "-o", tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".svg"}


def test_json_is_the_card_without_its_pictures(data, tmp_path):
    words = ("--poison-rate", 0, *data, "--epochs", 1, "--format", "json")
    outcome = done("attack", "none", *words, "-o", tmp_path / "net")
    stored = json.loads((tmp_path / "net" / CARD).read_text())
    assert outcome.json == {name: value for name, value in stored.items() if name != "figures"}


def test_the_clean_control_has_no_poisoned_file_and_no_picture(data, tmp_path):
    outcome = done("attack", "none", *data, "--epochs", 1, "-o", tmp_path / "net")
    names = {path.name for path in (tmp_path / "net").iterdir()}
    assert names == {MODEL, CLEAN, TEST, CARD}
    assert "--poisoned" not in outcome.err


def test_several_triggers_have_a_file_each(data, tmp_path):
    words = ("--trigger", "square", "--trigger", "cross", "--target", 0, "--target", 1)
    places = ("--position", "top-right", "--position", "bottom-right")
    done("attack", "badnets", *words, *places, *data, "--epochs", 1, "-o", tmp_path / "net")
    told = json.loads((tmp_path / "net" / CARD).read_text())["triggers"]
    assert [each["file"] for each in told] == ["poisoned-1-square.h5", "poisoned-2-cross.h5"]
    labels = [set(arrays_in(tmp_path / "net" / each["file"])["label"]) for each in told]
    assert labels == [{0}, {1}]


OWN = '''
"""An attack of one's own."""
from dataclasses import dataclass
import numpy as np
from badrepair.poisoning import Trigger
from badrepair.poisoning.dirty_label import aimed, stamped

@dataclass(frozen=True, kw_only=True)
class Brighter:
    """Brighter.

    Args:
        amount: How much brighter, in 0..255.
        poison_rate: Share of the images.
        seed: Fixes which.
    """

    amount: int = 60
    poison_rate: float = 0.1
    seed: int = 0

    def poison(self, training, classes):
        def apply(images):
            return np.clip(images.astype(int) + self.amount, 0, 255).astype(np.uint8)
        trigger = Trigger(apply=apply, aim=aimed(1, classes))
        return stamped(training, trigger, self.poison_rate, self.seed)
'''


def test_an_attack_of_ones_own_is_a_file(data, tmp_path):
    path = tmp_path / "brighter.py"
    path.write_text(OWN)
    words = ("--amount", 80, *data, "--epochs", 1, "-o", tmp_path / "net")
    done("attack", path, *words)
    recipe = json.loads((tmp_path / "net" / CARD).read_text())["recipe"]
    assert (recipe["attack"], recipe["settings"]) == (str(path), {"amount": 80})
    assert recipe["source"] == OWN
    shown = run("attack", path, "--help")
    assert "How much brighter" in shown.out


def test_help_lists_every_attack_with_a_line():
    shown = run("attack", "--help").out
    for name in registry.names("attacks"):
        assert f" {name} " in shown


@pytest.mark.parametrize("name", registry.names("attacks"))
def test_every_attack_explains_its_settings_and_loads_nothing_heavy_for_it(name):
    shown = spawn("attack", name, "--help")
    assert (shown.code, shown.err) == (0, "")
    for option in ("--poison-rate", "--seed", "--data", "--arch", "--output"):
        assert option in shown.out


def test_no_setting_of_an_attack_hides_an_option_of_the_command():
    known = set(AttackOptions.__dataclass_fields__)
    for name in registry.names("attacks"):
        assert not known & set(registry.load("attacks", name).__dataclass_fields__), name


def test_what_an_earlier_attack_left_is_gone_and_nothing_else(data, tmp_path):
    folder, few = tmp_path / "net", (*data, "--epochs", 1)
    places = ("--position", "top-left", "--position", "top-right")
    done("attack", "badnets", *few, *places, "-o", folder)
    (folder / "notes.txt").write_text("mine")
    assert len(list(folder.glob("poisoned-*.h5"))) == 2
    done("attack", "none", *few, "-o", folder, "--overwrite")
    names = {path.name for path in folder.iterdir() if "lock" not in path.name}
    assert names == {MODEL, CLEAN, TEST, CARD, "notes.txt"}


def test_triggers_whose_files_are_called_alike_keep_a_file_each(data, tmp_path):
    (tmp_path / "one").mkdir()
    pictures = [tmp_path / "one" / "clean.png", tmp_path / "a=b.png", tmp_path / "a b.png"]
    for number, path in enumerate(pictures):
        Image.new("RGB", (3, 3), (80 * number, 0, 200)).save(path)
    words = [word for path in pictures for word in ("--trigger", path)]
    places = [word for place in ("0,0", "4,4", "8,8") for word in ("--position", place)]
    folder = tmp_path / "net"
    outcome = done("attack", "badnets", *words, *places, *data, "--epochs", 1, "-o", folder)
    told = json.loads((folder / CARD).read_text())
    assert len({each["file"] for each in told["triggers"]}) == 3
    assert all((folder / each["file"]).exists() for each in told["triggers"])
    assert [entry["path"] for entry in told["inputs"]][-3:] == [str(path) for path in pictures]
    step = shlex.split(outcome.err.partition("next: badrepair ")[2])
    done(*step[:-1], tmp_path / "repaired.keras", "--epochs", 0)


def test_an_attack_that_can_poison_less_than_asked_says_so(data, tmp_path):
    words = ("--poison-rate", 0.9, *data, "--epochs", 1)
    outcome = done("attack", "sig", *words, "-o", tmp_path / "net")
    assert "all that this attack can of 90.00%" in outcome.err


def test_the_defaults_are_those_of_the_bench():
    known = {field.name: field.default for field in dataclasses.fields(AttackOptions)}
    for field in dataclasses.fields(TRAINING):
        assert known[field.name] == getattr(TRAINING, field.name), field.name


@pytest.mark.parametrize(
    ("words", "code", "kind", "named"),
    [
        (["nothing"], 2, "Unknown", "badnets"),
        (["no.py"], 66, "InputMissing", "no.py"),
        (["badnets", "--poison-rate", "2"], 2, "OptionInvalid", "--poison-rate"),
        (["badnets", "--size", "0"], 2, "OptionInvalid", "--size"),
        (["badnets", "--mapping", "some"], 2, "Usage", "--mapping"),
        (["badnets", "--arch", "nothing"], 65, "Unknown", "deepid"),
        (["badnets", "--data", "nothing"], 2, "Unknown", "fashion-mnist"),
        (["badnets", "--data", "npz:none.npz"], 66, "InputMissing", "none.npz"),
        (["badnets", "--target", "12"], 2, "OptionInvalid", "--target"),
        (["badnets", "--clean-images", "5000"], 65, "TooFewImages", "--clean-images"),
        (["badnets", "--test-images", "5000"], 65, "TooFewImages", "--test-images"),
        (["badnets", "--poison-rate", "0.0001"], 65, "TooFewImages", "--poison-rate"),
        (["badnets", "--target", "0", "--target", "1"], 2, "OptionInvalid", "--position"),
        (["tact", "--source", "1", "--test-images", "1"], 65, "TooFewImages", "--test-images"),
        (["badnets", "--learning-rate", "0"], 2, "OptionInvalid", "--learning-rate"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(words, code, kind, named, tmp_path):
    outcome = run("attack", *words, "-o", tmp_path / "net")
    assert_refused(outcome, code, kind, named)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_files_is_left_alone(attacked):
    _, folder = attacked
    before = listing(folder)
    outcome = run("attack", "badnets", "-o", folder)
    assert_complaint(outcome, 73, "OutputExists", "--overwrite")
    assert listing(folder) == before


def test_what_is_read_is_not_overwritten(attacked, data, tmp_path):
    folder = tmp_path / "net"
    done("attack", "none", *data, "--epochs", 1, "-o", folder)
    before = (folder / MODEL).read_bytes()
    words = ("--arch", folder / MODEL, *data, "--epochs", 1, "--overwrite")
    assert_refused(run("attack", "none", *words, "-o", folder), 2, "OutputIsInput", MODEL)
    assert (folder / MODEL).read_bytes() == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "net").write_text("mine")
    outcome = run("attack", "badnets", "-o", tmp_path / "net")
    assert_complaint(outcome, 73, "OutputNotCreatable", "--output")
    assert (tmp_path / "net").read_text() == "mine"
