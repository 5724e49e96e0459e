"""JSON that is broken, deep, long or not what it seems, in each place where a file has JSON."""

from __future__ import annotations

import json

from descriptions import ALL, H5, KERAS, files, lambda_layer
from honest import as_keras, described, members
from timing import Built

BROKEN, TOO_MUCH = "ConfigInvalid", "LimitExceeded"


def honest():
    return members()["config.json"]


def with_key(key, value):
    """Return the honest text with something of its own in front."""
    return f'{{"{key}": {value}, '.encode() + honest()[1:]


def twice():
    """Hide a Lambda behind a second key: parsers take the first or the last."""
    hidden = json.dumps([lambda_layer()]).encode()
    return honest().replace(b'"layers": [', b'"layers": ' + hidden + b', "layers": [', 1)


def units(number):
    return honest().replace(b'"units": 3', b'"units": ' + number)


# By name: the text, the code, and the formats.
TEXTS = {
    "key that stands twice": (twice, BROKEN, ALL),
    "number that is none": (lambda: units(b"NaN"), BROKEN, ALL),
    "infinite number": (lambda: units(b"-Infinity"), BROKEN, H5),
    "number too large for a float": (lambda: units(b"1e999"), BROKEN, ALL),
    "number of five thousand digits": (lambda: units(b"9" * 5000), BROKEN, H5),
    "sixty levels deep": (lambda: with_key("a", "[" * 60 + "]" * 60), TOO_MUCH, ALL),
    "levels without end": (lambda: with_key("a", "[" * 10**5 + "]" * 10**5), TOO_MUCH, H5),
    "half a million entries": (lambda: with_key("a", json.dumps([0] * 500_000)), TOO_MUCH, ALL),
    "text of a megabyte": (lambda: with_key("a", f'"{"x" * 2**20}"'), TOO_MUCH, ALL),
    "33 MiB of spaces": (lambda: b" " * (33 * 2**20) + honest(), "ConfigTooLarge", KERAS),
    "bytes that are no text": (lambda: with_key("a", '"?"').replace(b"?", b"\xff"), BROKEN, KERAS),
    "cut off in the middle": (lambda: honest()[:200], BROKEN, ALL),
    "nothing at all": (lambda: b"", BROKEN, H5),
    "only null": (lambda: b"null", Built("ConfigMissing"), KERAS),
    "only a number": (lambda: b"5", BROKEN, KERAS),
    "only a list": (lambda: b"[]", Built(BROKEN), ALL),
    "layers that are text": (
        lambda: json.dumps({**described(), "config": {"layers": "abc"}}).encode(),
        *(Built(BROKEN), H5),
    ),
    "layers that are numbers": (
        lambda: json.dumps({**described(), "config": {"layers": [1, 2]}}).encode(),
        *(Built(BROKEN), H5),
    ),
    "version that colours the terminal": (
        lambda: with_key("keras_version", r'"\u001b[31m9"'),
        *("", KERAS),
    ),
}


FILES = files(TEXTS, lambda text: text()) | {
    "metadata that is broken": (lambda folder: as_keras(folder, metadata=b"{"), BROKEN),
    "metadata without end": (
        lambda folder: as_keras(folder, metadata=b"[" * 10**5),
        TOO_MUCH,
    ),
}
