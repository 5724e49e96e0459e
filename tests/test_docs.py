"""The pages say what is so: options exist, links lead somewhere, generated parts are current."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from badrepair.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("attacks/*.md")))
COMMANDS = tuple(command.callback.__name__ for command in app.registered_commands)
GROUPS = tuple(group.name for group in app.registered_groups)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
INCLUDED = re.compile(r'--8<-- "([^"]+)"')
# Of README and pages together: fewer means that the pattern above finds too little.
FEWEST_COMMANDS = 25


def script(name):
    """Return a script of the docs folder as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page, language):
    return [text for kind, text in FENCE.findall(page.read_text("utf-8")) if kind == language]


def typed_commands(page):
    """Return the words of every badrepair command in the shell blocks of a page."""
    joined = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in joined.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["badrepair"]]


TYPED = [
    pytest.param(words, id=f"{page.stem}: {shlex.join(words)[:60]}")
    for page in PAGES
    for words in typed_commands(page)
]


def test_the_page_of_the_command_is_current():
    current = (DOCS / "cli.md").read_text("utf-8")
    assert current == script("generate_cli").page(), "run: make cli-docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_the_command_has_every_option_that_help_shows(name):
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown.output)) - {"--help"}
    section = (DOCS / "cli.md").read_text("utf-8").split(f"## {name}\n")[1].split("\n## ")[0]
    assert len(options) >= 3
    assert options <= set(re.findall(r"--[a-z][a-z-]+", section))


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_every_command_is_shown_in_the_readme_and_on_a_page(name):
    in_readme = [words[0] for words in typed_commands(PAGES[0])]
    on_pages = [words[0] for page in PAGES[1:] for words in typed_commands(page)]
    assert name in in_readme
    assert name in on_pages


def test_the_commands_on_the_pages_are_found():
    assert len(TYPED) >= FEWEST_COMMANDS


@pytest.mark.parametrize("words", TYPED)
def test_a_command_on_a_page_can_be_typed(words):
    group = typer.main.get_command(app)
    if words[0] in GROUPS:
        methods = group.commands[words[0]]
        method = methods.get_command(methods.make_context(words[0], list(words[1:])), words[1])
        method.make_context(words[1], list(words[2:]))
        return
    if words[0] in COMMANDS:
        group.commands[words[0]].make_context(words[0], list(words[1:]))
        return
    with pytest.raises(typer.Exit):
        group.make_context("badrepair", list(words))


def test_a_command_with_a_wrong_option_would_be_noticed():
    group = typer.main.get_command(app)
    with pytest.raises(Exception, match="--no-such"):
        group.commands["prune"].make_context("prune", ["--no-such", "1"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    for link in links:
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(page):
    """Return the anchors that MkDocs makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles]
    return {re.sub(r"[-\s]+", "-", title) for title in plain}


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_is_in_the_navigation(page):
    assert f" {page.relative_to(DOCS)}\n" in (ROOT / "mkdocs.yml").read_text("utf-8")


def test_what_pages_include_is_there():
    included = [name for page in PAGES for name in INCLUDED.findall(page.read_text("utf-8"))]
    assert set(included) == {f"measured/{path.name}" for path in (DOCS / "measured").iterdir()}


def test_every_figure_is_shown():
    linked = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text("utf-8"))
    }
    assert {path.resolve() for path in (DOCS / "figures").iterdir()} <= linked


def test_the_readme_has_the_table_that_was_measured():
    measuring = script("measure_demo")
    readme = (ROOT / "README.md").read_text("utf-8")
    assert measuring.with_table(readme, measuring.table()) == readme, "run docs/measure_demo.py"


def test_what_the_pages_show_of_grids_is_made_of_the_lines_beside():
    for path, text in script("write_benchmark").texts().items():
        assert path.read_text("utf-8") == text, "run docs/write_benchmark.py"


def test_the_demo_runs_the_commands_whose_tables_are_shown():
    from badrepair.cli.demo import DemoOptions, _steps

    run = [set(arguments) for _, arguments in _steps(DemoOptions(out=Path("demo")))]
    for arguments in script("measure_demo").STEPS.values():
        assert any(set(arguments) <= typed for typed in run), arguments


def test_the_readme_s_python_runs(tmp_path, monkeypatch):
    """What counts is that all of it exists and fits together."""
    make_demo_files(tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(PAGES[0], "python")
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert (tmp_path / "repaired.keras").is_file()
    assert names["guarded"].output_shape == (None, 11)


def make_demo_files(folder):
    """Write a model and data files as the demo has them, after a second of training."""
    import keras
    import numpy as np

    from badrepair.data import hdf5
    from badrepair.data.digits import digits
    from badrepair.models.architectures import small_cnn
    from badrepair.models.save import write_model
    from badrepair.models.training import train
    from badrepair.types import Dataset

    folder.mkdir()
    raw = digits(24)
    images = np.asarray(raw.images[:800], np.float32)
    everything = Dataset(images=images, labels=np.asarray(raw.labels[:800]))
    clean, test = everything.split(0.5, seed=0)
    hdf5.write(clean, folder / "clean.h5")
    hdf5.write(test, folder / "test.h5")
    keras.utils.set_random_seed(0)
    model = small_cnn.build((24, 24, 1), 10)
    unit = Dataset(images=images / 255, labels=everything.labels)
    train(model, unit, epochs=3, learning_rate=2e-3, batch_size=32, seed=0)
    write_model(model, folder / "badnet.keras")
