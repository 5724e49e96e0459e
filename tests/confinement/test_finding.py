"""What is found in a file is told in one line that steers no terminal."""

from __future__ import annotations

import pytest

from badrepair.confinement.finding import Finding


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (Finding("H5Link", "/a/b", "it leads elsewhere"), "/a/b: it leads elsewhere"),
        (Finding("Corrupt", "", "it is damaged"), "it is damaged"),
        (
            Finding("CodeInModel", "layer a", "it is code", "a hint", "config.layers[0]"),
            "layer a: it is code (at config.layers[0])",
        ),
        (Finding("H5Link", "/\x1b[31m\n", "bad\u202ename"), r"/\x1b[31m\n: bad\u202ename"),
    ],
)
def test_it_is_told_with_where_and_path(finding, sentence):
    assert finding.sentence == sentence


def test_it_is_cut_to_400_characters():
    assert len(Finding("H5Link", "/" + "a" * 5000, "it leads elsewhere").sentence) == 400


def test_it_is_refused_unless_it_says_otherwise():
    assert Finding("H5Link", "/a", "it leads elsewhere").severity == "refused"
