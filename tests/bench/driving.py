"""How tests drive a grid without processes, and what they read of its lines."""

from __future__ import annotations

import json
from concurrent.futures import Future

# Two seeds, each with a clean control and an attack, and no defence beside: 4 x 2 cells.
PLAIN = {"one": "answer"}


class Inline:
    """An engine that runs each task in this process, at once."""

    workers = 1

    def submit(self, function, *arguments, **options):
        future = Future()
        future.set_result(function(*arguments))
        return future

    def parcel(self, folder):
        return folder


def lines_of(folder):
    return [json.loads(text) for text in (folder / "cells.jsonl").read_text().splitlines()]


def but_cost(lines):
    return [{name: part for name, part in line.items() if name != "cost"} for line in lines]


def labels(line):
    return line["cell"]["seed"], line["cell"]["attack"], line["cell"]["defense"]


def failures(lines):
    return {labels(line): line["error"]["code"] for line in lines if line["error"]}
