"""Screen the bench's images, and read the rows that come of it."""

from __future__ import annotations

import csv
import subprocess
import sys
import time

import numpy as np
from PIL import Image

from badrepair.journal import partial_path
from cli.stored import arrays_in
from cli.terminal import Outcome, run

# Ctrl-C even where the tests' own process ignores it.
DRIVER = """
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
from badrepair.cli import main

main()
"""
MOST_SECONDS = 120


def screened(detector, source, output, *options):
    """Screen images, whatever comes of it."""
    return run("strip", "--detector", detector, "--screen", source, "-o", output, *options)


def done(detector, source, output, *options):
    """Screen images and return the rows."""
    outcome = screened(detector, source, output, *options)
    assert outcome.code == 0, outcome.err
    return rows_in(output)


def rows_in(path):
    """Return the rows of a CSV file as dicts of texts."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def flagged(rows):
    return [int(row["index"]) for row in rows if row["verdict"] == "poisoned"]


def pixels_in(path):
    """Return grey images of a file, shape (N, H, W), as bytes."""
    return arrays_in(path)["data"][:, 0].astype(np.uint8)


def pictures_of(pixels, folder, names=None):
    """Write images as PNG files and return the folder."""
    for row, image in enumerate(pixels):
        path = folder / (names[row] if names else f"{row:04}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def ended_by(how, detector, source, output, *options):
    """Send a signal to a run as soon as some rows are on disk."""
    words = ("strip", "--detector", detector, "--screen", source, "-o", output, *options)
    command = [sys.executable, "-c", DRIVER, *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        last = time.monotonic() + MOST_SECONDS
        while lines(partial_path(output)) < 100:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < last, "no rows"
            time.sleep(0.005)
        process.send_signal(how)
        out, err = process.communicate()
    return Outcome(process.returncode, out, err)


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0
