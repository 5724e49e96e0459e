"""An error is one line that names the fault, the place and the way out."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from badrepair import errors

EXIT_CODES = {
    "BadrepairError": 70,
    "OptionError": 2,
    "DataError": 65,
    "ModelError": 65,
    "InputMissingError": 66,
    "ResourceError": 69,
    "OutputError": 73,
    "WriteError": 74,
    "LockedError": 75,
}


def test_an_error_reads_as_one_line():
    error = errors.DataError("NotANumber", Path("x") / "a.h5", "expected b, found c", "do d")
    assert str(error) == "error[NotANumber] x/a.h5: expected b, found c; hint: do d"


def test_without_a_hint_none_is_promised():
    error = errors.ModelError("NothingToPrune", "net", "expected b, found c")
    assert str(error) == "error[NothingToPrune] net: expected b, found c"


def test_every_class_has_its_exit_code_and_is_one_of_ours():
    classes = {name: kind for name, kind in vars(errors).items() if name.endswith("Error")}
    assert {name: kind.exit_code for name, kind in classes.items()} == EXIT_CODES
    assert all(issubclass(kind, errors.BadrepairError) for kind in classes.values())


def test_its_parts_can_be_read():
    error = errors.OutputError("OutputExists", Path("a.h5"), "expected b, found c", "do d")
    assert (error.code, error.where, error.problem, error.hint) == (
        *("OutputExists", "a.h5", "expected b, found c", "do d"),
    )


@pytest.mark.parametrize("twin", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_it_survives_being_copied_and_sent_to_another_process(twin):
    error = errors.WriteError("WriteFailed", "a.h5", "expected b, found c", "do d")
    assert type(twin(error)) is errors.WriteError
    assert str(twin(error)) == str(error)


def test_it_imports_nothing_heavy():
    code = "import sys, badrepair.errors, badrepair.types; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "badrepair.errors" in loaded
    assert not {"keras", "tensorflow", "h5py", "sklearn", "matplotlib", "PIL"} & set(loaded)
