"""A plug-in is its file: it is listed without being imported, and loaded by its name."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import badrepair.defenses
from badrepair import registry
from badrepair.errors import OptionError


def test_the_names_are_those_of_the_files():
    assert registry.names("defenses") == ("fine-pruning", "fine-tuning", "max-softmax", "strip")
    assert {"badnets", "none"} <= set(registry.names("attacks"))


def test_names_are_loaded_as_classes():
    assert registry.load("defenses", "fine-pruning").__name__ == "FinePruning"
    assert registry.load("defenses", "max-softmax").__name__ == "MaxSoftmax"
    assert registry.load("defenses", "strip").__name__ == "Strip"
    assert registry.load("attacks", "badnets").__name__ == "Badnets"


@pytest.mark.parametrize("kind", ["attacks", "defenses"])
def test_every_file_holds_the_class_of_its_name(kind):
    for name in registry.names(kind):
        found = registry.load(kind, name)
        assert found.__name__.lower().rstrip("_") == name.replace("-", "")
        assert found.__module__ == f"badrepair.{kind}.{name.replace('-', '_')}"


@pytest.mark.parametrize("name", ["Strip", "fine_pruning", "badnets", "", "__init__", "os.path"])
def test_another_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(
        OptionError, match="one of the defenses fine-pruning, fine-tuning, max-softmax, strip"
    ) as caught:
        registry.load("defenses", name)
    assert caught.value.code == "Unknown"


def test_a_new_file_is_a_new_plug_in(tmp_path, monkeypatch):
    (tmp_path / "quiet_please.py").write_text("class QuietPlease:\n    answer = 42\n")
    monkeypatch.setattr(
        badrepair.defenses, "__path__", [*badrepair.defenses.__path__, str(tmp_path)]
    )
    # What the import leaves behind goes with the test.
    monkeypatch.setattr(badrepair.defenses, "quiet_please", None, raising=False)
    assert registry.names("defenses") == (
        "fine-pruning",
        "fine-tuning",
        "max-softmax",
        "quiet-please",
        "strip",
    )
    assert registry.load("defenses", "quiet-please").answer == 42
    del sys.modules["badrepair.defenses.quiet_please"]


def test_listing_imports_no_plug_in_and_nothing_heavy():
    script = (
        "import sys; from badrepair import registry;"
        "registry.names('defenses'), registry.names('attacks');"
        "print(*sorted(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    imported = set(run.stdout.split())
    assert "badrepair.defenses" in imported
    heavy = {"tensorflow", "keras", "h5py", "sklearn", "matplotlib", "PIL"}
    assert not imported & {"badrepair.defenses.strip", "badrepair.attacks.badnets", *heavy}


def test_an_entry_point_of_another_package_is_a_plug_in(monkeypatch):
    declared = metadata.EntryPoints(
        [metadata.EntryPoint("theirs", "badrepair.defenses.strip:Strip", "badrepair.defenses")]
    )
    monkeypatch.setattr(metadata, "entry_points", lambda group: declared.select(group=group))
    assert registry.load("defenses", "theirs").__name__ == "Strip"
    with pytest.raises(OptionError, match="strip, theirs"):
        registry.load("defenses", "other")
    with pytest.raises(OptionError, match="one of the attacks"):
        registry.load("attacks", "theirs")


def test_a_plug_in_is_made_with_settings():
    made = registry.make("defenses", "fine-pruning", {"epochs": 0, "layers": ["conv_1"]})
    assert (made.epochs, tuple(made.layers)) == (0, ("conv_1",))
