"""What `--trust-model` takes, and the files that it is no use for."""

from __future__ import annotations

import pytest

from badrepair.errors import OptionError
from badrepair.models.gate.trust import digests, holds_code

DIGEST = "sha256:" + "0f" * 32


def test_a_digest_may_be_in_capitals_and_stand_twice():
    assert digests([DIGEST, DIGEST.upper(), f" {DIGEST}\n"]) == {DIGEST}
    assert digests([]) == frozenset()


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", "*", DIGEST[7:], DIGEST[:-1], DIGEST + "0", "sha1:" + "0" * 64, DIGEST + "\n0"],
)
def test_what_is_no_digest_is_refused_in_one_line(text):
    with pytest.raises(OptionError, match="expected sha256: and 64 hexadecimal digits") as caught:
        digests([DIGEST, text])
    assert caught.value.code == "BadDigest"
    assert str(caught.value).isprintable()


def layer(name, **config):
    return {"class_name": "Sequential", "config": [{"class_name": name, "config": config}]}


def test_code_of_the_file_s_own_is_found_wherever_it_is():
    code = {"class_name": "__lambda__", "config": {"code": "4w=="}}
    assert holds_code(layer("Lambda", function=code))
    assert holds_code(layer("Lambda", function=["4w==", None, None]))
    assert holds_code(layer("Dense", activation=[{"deep": code}]))
    assert holds_code(layer("TFSMLayer", filepath="/tmp"))
    assert holds_code(layer("TorchModuleWrapper"))


def test_a_function_of_keras_and_a_class_of_somebody_are_no_code_of_the_file_s_own():
    function = {"class_name": "function", "module": "keras.ops", "config": "abs"}
    assert not holds_code(layer("Lambda", function=function))
    assert not holds_code(layer("Strange", function=["a"]))
    assert not holds_code({"class_name": ["__lambda__"], "config": 3})
    assert not holds_code(None)
