"""Faults 42 to 46, 49 to 51 and 55 to 57: outputs appear whole, once, and of one input."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from importlib import import_module

import pytest
from cli import conftest
from cli.repairs import names
from cli.terminal import assert_complaint, assert_refused, done, listing, run, spawn
from cli.unfinished import checkpoint
from disks import forbid_writing, mounted

from badrepair.cli.claiming import claimed
from badrepair.locking import lock_path

bench = conftest.bench
QUICK = ("--epochs", 0, "--input-range", "0-1")


@pytest.fixture
def prune(bench):
    """Return a function that prunes quickly in this process."""

    def prune(output, *options):
        return run("prune", *bench.defended(), *QUICK, "-o", output, *options)

    return prune


@pytest.fixture
def prune_apart(bench):
    """Return a function that does so in a process of its own."""

    def prune_apart(output, *options, **limits):
        return spawn("prune", *bench.defended(), *QUICK, "-o", output, *options, **limits)

    return prune_apart


@pytest.fixture
def old(tmp_path):
    """Return an output that stands there already, with its record."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "out.json").write_text("my record")
    (folder / "out.keras").write_text("my model")
    return folder / "out.keras"


def test_fault_42_an_output_that_exists_is_kept(prune, old):
    before = listing(old.parent)
    assert_refused(prune(old), 73, "OutputExists", str(old), "--overwrite")
    assert listing(old.parent) == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_fault_43_an_output_that_is_the_input_through_a_link_is_refused(bench, tmp_path, link):
    model = shutil.copy(bench.model, tmp_path / "model.keras")
    link(model, tmp_path / "out.keras")
    before = listing(tmp_path)
    words = ("--model", model, "--clean", bench.clean, *QUICK, "--overwrite")
    outcome = run("prune", *words, "-o", tmp_path / "out.keras")
    assert_refused(outcome, 2, "OutputIsInput", str(model))
    assert listing(tmp_path) == before


def test_fault_44_a_folder_that_is_not_there_is_named_before_the_run(prune, tmp_path):
    outcome = prune(tmp_path / "new" / "out.keras")
    assert_refused(outcome, 73, "OutputFolderMissing", str(tmp_path / "new"))
    assert listing(tmp_path) == []


def test_fault_44_a_disk_that_may_only_be_read_is_found_out_before_the_run(prune, tmp_path):
    with mounted(tmp_path / "disk") as disk:
        forbid_writing(disk)
        outcome = prune(disk / "out.keras")
        assert_refused(outcome, 73, "OutputNotWritable", "Read-only file system")
        assert names(disk) == []


@pytest.mark.parametrize("name", ["out.keras", "out.h5", "out.weights.h5"])
def test_fault_45_a_disk_that_is_full_is_one_line(prune_apart, tmp_path, name):
    with mounted(tmp_path / "disk") as disk:
        (disk / "filler").write_bytes(bytes(900_000))
        outcome = prune_apart(disk / name)
        assert_refused(outcome, 74, "WriteFailed", "No space left", "nothing was written")
        assert names(disk) == ["filler"]


@pytest.mark.parametrize("full_at", [1, 2])
def test_fault_45_a_disk_that_fills_up_leaves_what_was_there(prune, old, monkeypatch, full_at):
    before, flushed = listing(old.parent), []

    def fsync(descriptor, really=os.fsync):
        flushed.append(descriptor)
        if len(flushed) == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert_refused(prune(old, "--overwrite"), 74, "WriteFailed", "No space left")
    assert listing(old.parent) == before


@pytest.mark.parametrize("name", ["out.keras", "out.h5", "out.weights.h5"])
def test_fault_46_a_limit_on_the_size_of_files_is_one_line(prune_apart, tmp_path, name):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    outcome = prune_apart(tmp_path / name, preexec_fn=limit)
    assert_refused(outcome, 74, "WriteFailed", "File too large", "nothing was written")
    assert listing(tmp_path) == []


# Writes two files in place of others, and kills itself at the step with the number of argv.
KILLED = """
import os, signal, sys
from pathlib import Path
from badrepair import writing

left = int(sys.argv[1])

def mortal(step):
    def at_the_last(*arguments):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return step(*arguments)
    return at_the_last

os.fsync, Path.replace = mortal(os.fsync), mortal(Path.replace)
writing.write_together({Path("out.keras"): b"new", Path("out.json"): b"new"}, overwrite=True)
"""


# Flush both, rename both, flush the folder.
@pytest.mark.parametrize("step", range(5))
def test_fault_49_a_run_that_is_killed_as_it_writes_leaves_the_old_or_the_new(old, step):
    command = [sys.executable, "-c", KILLED, str(step)]
    ended = subprocess.run(command, cwd=old.parent, check=False)
    assert ended.returncode == -signal.SIGKILL
    replaced = [path.read_bytes() == b"new" for path in (old, old.with_suffix(".json"))]
    assert replaced == [step > 2, step > 3]
    if not replaced[0]:
        assert old.read_text() == "my model"
    with claimed([old, old.with_suffix(".json")], overwrite=True, inputs=[]):
        pass
    assert names(old.parent) == ["out.json", "out.keras"]


def test_fault_51_a_damaged_checkpoint_is_refused_and_kept(bench, tmp_path):
    output = tmp_path / "out.keras"
    checkpoint(output).write_bytes(b"no state")
    before = listing(tmp_path)
    words = ("--epochs", 1, "--input-range", "0-1", "--resume", "-o", output)
    outcome = run("prune", *bench.defended(), *words)
    assert_complaint(outcome, 65, "CheckpointInvalid", str(checkpoint(output)), "--resume")
    assert listing(tmp_path) == before


HOLDING = """
import sys
from pathlib import Path
from badrepair.locking import locked

with locked([Path(sys.argv[1])]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writing():
    """Return a function that begins to write an output in another process, and its number."""
    command, started = [sys.executable, "-c", HOLDING], []

    def writing(output):
        process = subprocess.Popen(
            [*command, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield writing
    for process in started:
        process.communicate()


@pytest.mark.parametrize("taken", ["out.keras", "out.json"])
def test_fault_55_a_second_run_on_an_output_ends_with_the_number_of_the_first(
    prune, tmp_path, writing, taken
):
    process = writing(tmp_path / taken)
    before = listing(tmp_path)
    outcome = prune(tmp_path / "out.keras")
    assert_refused(outcome, 75, "OutputLocked", taken, f"process {process.pid}")
    assert listing(tmp_path) == before
    assert prune(tmp_path / "other.keras").code == 0
    process.communicate()
    assert prune(tmp_path / "out.keras").code == 0
    assert names(tmp_path) == ["other.json", "other.keras", "out.json", "out.keras"]


def test_fault_55_a_run_that_was_killed_locks_nobody_out(prune, tmp_path, writing):
    process = writing(tmp_path / "out.keras")
    process.kill()
    process.wait()
    assert names(tmp_path) == [lock_path(tmp_path / "out.keras").name]
    assert prune(tmp_path / "out.keras").code == 0
    assert names(tmp_path) == ["out.json", "out.keras"]


@pytest.fixture
def words(bench, tmp_path, stripped_detector):
    """Return for every command that writes what to type, and where it writes to."""
    record = bench.folder / "figured.json"
    if not record.exists():
        done("prune", *bench.defended(), *QUICK, "-o", record.with_suffix(".keras"))
    screening = ("--detector", stripped_detector, "--screen", bench.test)
    return {
        "evaluate": ("--model", bench.model, *bench.evaluated(), "-o", tmp_path / "out"),
        "plot": (record, "--kind", "curve", "-o", tmp_path / "out.png"),
        "prune": (*bench.defended(), *QUICK, "-o", tmp_path / "out.keras"),
        "strip": (*bench.defended(), "--overlays", 5, "-o", tmp_path / "out.keras"),
        "screen": (*screening, "-o", tmp_path / "out.csv"),
        "demo": ("--out", tmp_path),
    }


@pytest.fixture(scope="module")
def stripped_detector(bench):
    output = bench.folder / "locks.npz"
    fitting = ("--clean", bench.clean, "--overlays", 10, "--input-range", "0-1")
    done("strip", "--model", bench.model, *fitting, "-o", output)
    return output


@pytest.mark.parametrize("command", ["evaluate", "plot", "prune", "strip", "screen", "demo"])
def test_fault_55_every_command_that_writes_keeps_its_outputs(words, writing, tmp_path, command):
    typed = words[command]
    process = writing(tmp_path / "commands.sh" if command == "demo" else typed[-1])
    before = listing(tmp_path)
    outcome = run("strip" if command == "screen" else command, *typed, "--quiet")
    assert_refused(outcome, 75, "OutputLocked", f"process {process.pid}")
    assert listing(tmp_path) == before


def test_fault_56_inputs_on_a_disk_that_may_only_be_read_work(bench, tmp_path):
    with mounted(tmp_path / "disk", size="64m") as disk:
        for path in (bench.model, bench.clean, bench.test, bench.poisoned):
            shutil.copy(path, disk)
        forbid_writing(disk)
        before = listing(disk)
        measured = ("--test", disk / "test.h5", "--poisoned", disk / "patched.h5")
        read = ("--model", disk / "badnet.keras", "--clean", disk / "clean.h5", *measured)
        done("prune", *read, *QUICK, "-o", tmp_path / "out.keras")
        assert listing(disk) == before


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def touch(path):
    os.utime(path, ns=(0, 0))


def replace(path):
    before = path.stat()
    shutil.copy(path, path.with_name("new"))
    path.with_name("new").replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", ["model", "clean", "test"])
@pytest.mark.parametrize(
    ("change", "found"),
    [(append, "bytes instead of"), (touch, "a later change"), (replace, "another file")],
)
def test_fault_57_an_input_that_changes_meanwhile_leaves_no_output(
    bench, tmp_path, monkeypatch, name, change, found
):
    copies = {n: tmp_path / getattr(bench, n).name for n in ("model", "clean", "test")}
    for one, path in copies.items():
        shutil.copy(getattr(bench, one), path)
    _afterwards(monkeypatch, "badrepair.cli.measuring.evaluate", lambda: change(copies[name]))
    read = [word for one, path in copies.items() for word in (f"--{one}", path)]
    outcome = run("prune", *read, *QUICK, "-o", tmp_path / "out.keras", "--quiet")
    assert_refused(outcome, 65, "InputChanged", str(copies[name]), found)
    assert names(tmp_path) == ["badnet.keras", "clean.h5", "test.h5"]


def test_fault_57_an_evaluation_of_a_file_that_changes_prints_nothing(bench, tmp_path, monkeypatch):
    clean = shutil.copy(bench.test, tmp_path / "test.h5")
    _afterwards(monkeypatch, "badrepair.evaluation.evaluate", lambda: append(clean))
    words = ("--model", bench.model, "--clean", clean, "--input-range", "0-1")
    outcome = run("evaluate", *words, "-o", tmp_path / "out.json")
    assert_refused(outcome, 65, "InputChanged", str(clean))
    assert names(tmp_path) == ["test.h5"]


def test_fault_57_rows_of_images_that_change_are_not_kept(
    bench, tmp_path, monkeypatch, stripped_detector
):
    images = shutil.copy(bench.test, tmp_path / "test.h5")
    _afterwards(monkeypatch, "badrepair.cli.screened.record", lambda: append(images))
    words = ("--detector", stripped_detector, "--screen", images, "-o", tmp_path / "out.csv")
    outcome = run("strip", *words, "--quiet")
    assert_refused(outcome, 65, "InputChanged", str(images))
    assert names(tmp_path) == ["test.h5"]


def _afterwards(monkeypatch, step, then):
    """Let something happen once, after a step."""
    module, _, name = step.rpartition(".")
    really, waiting = getattr(import_module(module), name), [then]

    def step_and_then(*arguments, **options):
        made = really(*arguments, **options)
        while waiting:
            waiting.pop()()
        return made

    monkeypatch.setattr(step, step_and_then)
