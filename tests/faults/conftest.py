"""A model and clean data that work, in a folder of their own, and a command that must refuse."""

from __future__ import annotations

import pytest
import quadrants
from cli.terminal import assert_complaint, done, listing, run

IN_UNIT = ("--input-range", "0-1")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Return the file of a network that answers all clean images rightly."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    quadrants.network().save(path)
    return path


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """Return the file of 40 clean images."""
    path = tmp_path_factory.mktemp("clean") / "clean.h5"
    return quadrants.stored(path, data=quadrants.pictures(), label=quadrants.LABELS)


@pytest.fixture
def refused(model, clean, tmp_path):
    """Return a function that evaluates a bad model or bad data, which must change nothing."""

    def refused(exit_code, kind, *words, model=model, clean=clean, options=IN_UNIT):
        before = listing(tmp_path)
        outcome = run("evaluate", "--model", model, "--clean", clean, *options)
        assert_complaint(outcome, exit_code, kind, *words)
        assert listing(tmp_path) == before

    return refused


@pytest.fixture
def measured(model):
    """Return a function that evaluates data which is odd but right: accuracy, n and stderr."""

    def measured(clean, *options, model=model, input_range="0-1"):
        common = ("--input-range", input_range, "--format", "json")
        outcome = done("evaluate", "--model", model, "--clean", clean, *common, *options)
        found = outcome.json["models"][0]["clean"]
        return found["accuracy"], found["n"], outcome.err

    return measured


@pytest.fixture
def prune(model, tmp_path):
    """Return a function that prunes with other clean data, whatever comes of it."""

    def prune(clean, *options):
        common = ("--input-range", "0-1", "--epochs", 0, "-o", tmp_path / "out.keras")
        return run("prune", "--model", model, "--clean", clean, *common, *options)

    return prune
