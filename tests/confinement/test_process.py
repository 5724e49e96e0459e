"""What reads a file from anybody cannot write, nor last, nor take the machine."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from badrepair.confinement import process
from badrepair.confinement.process import Confined
from badrepair.errors import DataError, InputMissingError, ModelError, ResourceError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    return path


@pytest.fixture
def confined(file, monkeypatch):
    """Return a confined process with a reader of the tests."""
    start = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {process.START}"
    monkeypatch.setattr(process, "START", start)
    opened = Confined(file, "readers:Reader", ModelError)
    yield opened
    opened.close()


def refusal(confined, **question):
    with pytest.raises(ModelError) as caught:
        confined.ask(**question)
    assert "\n" not in str(caught.value)
    return caught.value


def test_questions_are_answered_one_after_the_other(confined, file):
    assert confined.ask(do="echo", word="a")[0] == {"do": "echo", "word": "a"}
    assert confined.ask(do="content")[0] == "some bytes"
    assert confined.ask(do="told")[0] == str(file)


def test_what_the_reader_refuses_is_refused_here(confined):
    error = refusal(confined, do="refuse")
    assert (error.code, error.problem, error.hint) == ("LayerNotAllowed", "it is wrong", "mend it")
    assert confined.ask(do="echo")[0] == {"do": "echo"}


def test_a_reader_that_cannot_begin_says_so_at_the_first_question(file, confined):
    broken = Confined(file, "readers:Broken", ModelError)
    with pytest.raises(DataError, match="it is broken"):
        broken.ask(do="anything")
    broken.close()


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS"])
def test_a_crash_of_the_reader_is_a_fault_of_the_file(confined, file, name):
    error = refusal(confined, do="die", signal=int(getattr(signal, name)))
    assert error.code == "LoaderCrashed"
    assert error.where == str(file)
    assert name in error.problem
    assert refusal(confined, do="echo").code == "LoaderCrashed"


def test_a_reader_that_is_killed_had_too_little_memory(confined, file):
    with pytest.raises(ResourceError) as caught:
        confined.ask(do="die", signal=int(signal.SIGKILL))
    assert (caught.value.code, caught.value.exit_code) == ("OutOfMemory", 69)
    assert caught.value.where == str(file)


def test_an_end_without_a_word_is_a_crash(confined):
    error = refusal(confined, do="leave", status=3)
    assert (error.code, "status 3" in error.problem) == ("LoaderCrashed", True)


def test_an_answer_that_is_no_frame_is_a_crash(confined):
    assert refusal(confined, do="nonsense").code == "LoaderCrashed"


def test_a_reader_that_sleeps_is_ended(confined, monkeypatch):
    monkeypatch.setattr(process, "WAIT_SECONDS", 0.3)
    began = time.monotonic()
    assert refusal(confined, do="sleep").code == "LoaderTimeout"
    assert time.monotonic() - began < 3
    assert ended(confined)


def test_a_reader_that_never_stops_computing_is_ended_by_the_system(file, monkeypatch):
    start = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        f"sys.path.insert(0, {str(process.ROOT)!r});"
        "import badrepair.confinement.child as child; child.CPU_SECONDS = 0;" + process.START
    )
    monkeypatch.setattr(process, "START", start)
    confined = Confined(file, "readers:Reader", ModelError)
    assert refusal(confined, do="spin").code == "LoaderTimeout"


def ended(confined):
    return confined._process.returncode is not None


def test_more_memory_than_it_may_have_is_an_error_and_no_crash(confined):
    with pytest.raises(ResourceError, match="more than 2 GiB"):
        confined.ask(do="eat")
    assert confined.ask(do="echo")[0] == {"do": "echo"}


def test_its_limits_are_set_for_good(confined):
    assert confined.ask(do="limits")[0] == {
        "RLIMIT_AS": 2 * 2**30,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 32,
        "RLIMIT_CORE": 0,
    }


def test_it_cannot_write_a_byte(confined, tmp_path):
    target = tmp_path / "written"
    assert refusal(confined, do="write", path=str(target)).code == "LoaderCrashed"
    assert not target.exists() or target.stat().st_size == 0


def test_it_cannot_open_many_files(confined):
    assert refusal(confined, do="open_many").code == "LoaderCrashed"


@pytest.fixture
def landlock():
    """Skip where the kernel cannot keep a process from opening files."""
    import subprocess

    program = "from badrepair.confinement.landlock import restrict; exit(not restrict([]))"
    if subprocess.run([sys.executable, "-c", program], check=False, cwd=process.ROOT).returncode:
        pytest.skip("this kernel has no Landlock")


@pytest.mark.usefixtures("landlock")
def test_it_can_open_no_other_file(confined, file, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    assert confined.ask(do="read", path=str(secret))[0] == "errno 13"
    assert confined.ask(do="read", path=str(file))[0] == "errno 13"
    assert confined.ask(do="read", path="/etc/passwd")[0] == "errno 13"
    assert confined.ask(do="content")[0] == "some bytes"


@pytest.mark.usefixtures("landlock")
def test_it_can_start_no_program(confined):
    assert confined.ask(do="run")[0] == "errno 13"


@pytest.mark.usefixtures("landlock")
def test_it_can_connect_to_nobody(confined):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        found = confined.ask(do="connect", port=server.getsockname()[1])[0]
    assert found in {"errno 13", "errno 1"}


def test_it_inherits_neither_environment_nor_search_path(confined, monkeypatch):
    monkeypatch.setenv("HDF5_PLUGIN_PATH", "/tmp/evil")
    environment = confined.ask(do="environment")[0]
    assert "HDF5_PLUGIN_PATH" not in environment
    assert environment["HDF5_PLUGIN_PRELOAD"] == "::"
    assert not {"", ".", os.getcwd()} & set(confined.ask(do="path")[0]) - {str(process.ROOT)}


def test_it_imports_neither_keras_nor_tensorflow(confined):
    modules = set(confined.ask(do="modules")[0])
    assert not modules & {"keras", "tensorflow", "pickle5", "torch"}


def test_it_ends_when_nobody_asks_any_more(confined):
    number = confined._process.pid
    confined.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_it_ends_with_the_last_reference(file, monkeypatch):
    confined = Confined(file, "badrepair.data.hdf5_reader:DataReader", DataError)
    number = confined._process.pid
    del confined
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_the_digest_is_that_of_the_file_that_was_opened(confined, file):
    import hashlib

    expected = hashlib.sha256(b"some bytes").hexdigest()
    other = file.with_name("other")
    other.write_bytes(b"others")
    other.replace(file)
    assert confined.sha256() == expected
    assert confined.ask(do="content")[0] == "some bytes"


def test_what_is_no_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="NotAFile"):
            Confined(path, "readers:Reader", ModelError)
    with pytest.raises(InputMissingError):
        Confined(tmp_path / "none", "readers:Reader", ModelError)


def test_the_interpreter_is_ours(confined):
    assert confined._process.args[0] == sys.executable
    assert "-I" in confined._process.args
