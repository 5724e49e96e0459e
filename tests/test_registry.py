"""A plug-in is its file: it is listed without being imported, and loaded by its name."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import badrepair.defenses
from badrepair import registry
from badrepair.errors import OptionError


def test_the_names_are_those_of_the_files():
    folder = Path(badrepair.defenses.__file__).parent
    files = {path.stem.replace("_", "-") for path in folder.glob("[a-z]*.py")}
    assert registry.names("defenses") == tuple(sorted(files))
    assert {"fine-pruning", "i-bau", "strip", "unlearn"} <= files
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
    known = ", ".join(registry.names("defenses"))
    with pytest.raises(OptionError, match=f"one of the defenses {known}") as caught:
        registry.load("defenses", name)
    assert caught.value.code == "Unknown"


def test_a_new_file_is_a_new_plug_in(tmp_path, monkeypatch):
    (tmp_path / "quiet_please.py").write_text("class QuietPlease:\n    answer = 42\n")
    monkeypatch.setattr(
        badrepair.defenses, "__path__", [*badrepair.defenses.__path__, str(tmp_path)]
    )
    # What the import leaves behind goes with the test.
    monkeypatch.setattr(badrepair.defenses, "quiet_please", None, raising=False)
    assert "quiet-please" in registry.names("defenses")
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


@pytest.fixture
def declare(monkeypatch):
    """Return a function that declares a defence called theirs."""

    def declared(value):
        entries = metadata.EntryPoints([metadata.EntryPoint("theirs", value, "badrepair.defenses")])
        monkeypatch.setattr(metadata, "entry_points", lambda group: entries.select(group=group))

    return declared


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a module of another package, which holds a text."""
    monkeypatch.syspath_prepend(tmp_path)

    def written(text):
        (tmp_path / "their_package.py").write_text(text)
        return "their_package"

    yield written
    sys.modules.pop("their_package", None)


def test_an_entry_point_of_another_package_is_a_plug_in(declare):
    declare("badrepair.defenses.strip:Strip")
    assert registry.load("defenses", "theirs").__name__ == "Strip"
    with pytest.raises(OptionError, match="unlearn, theirs"):
        registry.load("defenses", "other")
    with pytest.raises(OptionError, match="one of the attacks"):
        registry.load("attacks", "theirs")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_module_at_all", "cannot be imported: ModuleNotFoundError: No module"),
        ("other = 1", "cannot be imported: AttributeError: "),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("Theirs = 3", "expected a class with the method repair or fit, found 3"),
        ("class Theirs: ...", "expected a class with the method repair or fit, found <class"),
    ],
)
def test_an_entry_point_that_leads_to_no_method_is_told_with_its_value(
    text, told, declare, package
):
    declare(f"{package(text)}:Theirs")
    with pytest.raises(OptionError) as caught:
        registry.load("defenses", "theirs")
    assert caught.value.code == "MethodInvalid"
    assert caught.value.where == "theirs (their_package:Theirs)"
    assert caught.value.problem.startswith(told)


def test_a_class_of_another_package_is_looked_at_like_one_of_a_file(declare, package):
    text = (
        "from dataclasses import dataclass\n@dataclass\nclass Theirs:\n    strength: int = 1\n"
        "    def fit(self, model, clean): ...\n    def __post_init__(self): 1 / self.strength\n"
    )
    declare(f"{package(text)}:Theirs")
    with pytest.raises(OptionError, match=r"theirs \(.*\): expected a field seed: int in Theirs"):
        registry.load("defenses", "theirs")
    del sys.modules["their_package"]
    declare(
        f"{package(text.replace('strength: int = 1', 'strength: int = 1; seed: int = 0'))}:Theirs"
    )
    assert registry.make("defenses", "theirs", {"seed": 2}).seed == 2
    with pytest.raises(OptionError, match=r"\] their_package:Theirs: ZeroDivisionError: division"):
        registry.make("defenses", "theirs", {"strength": 0})


def test_a_plug_in_is_made_with_settings():
    made = registry.make("defenses", "fine-pruning", {"epochs": 0, "layers": ["conv_1"]})
    assert (made.epochs, tuple(made.layers)) == (0, ("conv_1",))
