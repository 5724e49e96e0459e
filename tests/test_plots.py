"""A record says which figures it can give, and gives them as files that never change."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
from PIL import Image

from badrepair import plots
from badrepair.cli.plot import Kind
from badrepair.errors import DataError, OptionError

ENTROPIES = {
    "threshold": 0.2,
    "clean": [0.1, 0.5, 0.6, 0.9],
    "poisoned": {"patch": [0.0, 0.3]},
    "calibration": [0.2, 0.3, 0.8],
}
FLOOR = {"clean": [-1.0, -2.0], "poisoned": {"patch": [-3.0]}}
OVERLAYS_USED = {"of": 20, "clean": [5, 20, 20], "poisoned": {"patch": [10, 5]}}
MAPS = {
    "layer": "conv_3",
    "clean": np.zeros((4, 2, 2)).tolist(),
    "poisoned": {"patch": np.ones((4, 2, 2)).tolist()},
    "n": {"clean": 9, "patch": 5},
    "order": [2, 0, 3, 1],
}
# A white pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVQI12P4//8/AAX+Av7czFnnAAAAAElFTkSuQmCC"
)
PAIR = {"set": "patch", "label": 1, "target": 0, "clean": PIXEL, "poisoned": PIXEL}
RECORD = {
    "schema": 1,
    "curve": [{"pruned": 0, "accuracy": 1.0}, {"pruned": 1, "accuracy": 0.5}],
    "choices": {"level": 0, "layer": "conv_3", "max_drop": 0.04, "baseline_accuracy": 1.0},
    "figures": {
        "entropies": ENTROPIES,
        "activations": MAPS,
        "floor": FLOOR,
        "overlays_used": OVERLAYS_USED,
        "pairs": [PAIR],
    },
}
HELD = ("activations", "curve", "entropies", "error-rates", "overlays-used", "pairs", "roc")


def changed(path, value):
    """Return the record with another value at a dotted path."""
    record = copy.deepcopy(RECORD)
    *above, last = path.split(".")
    part = record
    for key in above:
        part = part[int(key)] if key.isdigit() else part[key]
    part[last] = value
    return record


def test_available_names_the_figures_that_a_record_can_give():
    assert plots.available(RECORD) == HELD
    assert plots.available({"curve": RECORD["curve"]}) == ("curve",)


@pytest.mark.parametrize("record", [{}, {"figures": []}, {"figures": {"samples": []}}])
def test_nothing_is_available_in_an_empty_record(record):
    assert plots.available(record) == ()


def test_every_kind_that_the_command_promises_exists():
    assert tuple(plots.KINDS) == (
        *("activations", "curve", "entropies", "error-rates", "extremes", "overlays-used", "pairs"),
        *("roc", "samples", "superimposition"),
    )


def test_the_command_offers_every_kind():
    assert {kind.value for kind in Kind} == set(plots.KINDS)


def test_a_figure_that_is_not_in_the_record_names_those_that_are():
    with pytest.raises(DataError) as caught:
        plots.draw("samples", RECORD)
    assert caught.value.code == "FigureNotInRecord"
    assert ", ".join(HELD) in caught.value.problem


def test_there_is_no_roc_where_nothing_poisoned_was_measured():
    record = changed("figures.entropies.poisoned", {})
    assert "roc" not in plots.available(record)
    with pytest.raises(DataError, match="FigureNotInRecord"):
        plots.draw("roc", record)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(OptionError, match="superimposition"):
        plots.draw("pie", RECORD)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("curve", "curve", {"pruned": 0}),
        ("curve", "curve", [3]),
        ("curve", "curve", [{"pruned": 0}]),
        ("curve", "curve.0.accuracy", 97.0),
        ("curve", "curve.0.accuracy", "high"),
        ("curve", "curve.0.accuracy", True),
        ("curve", "curve.0.pruned", 0.5),
        ("curve", "curve.0.attack_success", [1.0]),
        ("curve", "curve.0.attack_success", {"patch": 2}),
        ("curve", "choices", []),
        ("curve", "choices.level", "last"),
        ("curve", "choices.max_drop", [0.04]),
        ("entropies", "figures.entropies", [1]),
        ("entropies", "figures.entropies.clean", []),
        ("entropies", "figures.entropies.clean", [0.5, None]),
        ("entropies", "figures.entropies.clean", [[0.5], [0.5, 1.0]]),
        ("entropies", "figures.entropies.threshold", "low"),
        ("error-rates", "figures.entropies.poisoned", {"patch": ["a"]}),
        ("error-rates", "figures.entropies.poisoned", [0.5]),
        ("entropies", "figures.entropies.calibration", "all of them"),
        ("entropies", "figures.entropies.calibration", []),
        ("roc", "figures.entropies.poisoned", [0.5]),
        ("roc", "figures.entropies.poisoned", {"patch": [[0.5]]}),
        ("roc", "figures.entropies.clean", [0.5, None]),
        ("roc", "figures.floor", [1.0]),
        ("roc", "figures.floor.clean", None),
        ("roc", "figures.floor.poisoned", {"patch": [None]}),
        ("overlays-used", "figures.overlays_used", [20]),
        ("overlays-used", "figures.overlays_used.of", 0),
        ("overlays-used", "figures.overlays_used.of", 20.5),
        ("overlays-used", "figures.overlays_used.clean", [21]),
        ("overlays-used", "figures.overlays_used.clean", [-1]),
        ("overlays-used", "figures.overlays_used.clean", [0.5]),
        ("overlays-used", "figures.overlays_used.poisoned", {"patch": 3}),
        ("extremes", "figures.extremes", [1]),
        ("extremes", "figures.extremes", {"most": [], "least": []}),
        ("extremes", "figures.extremes", {"most": 3}),
        ("extremes", "figures.extremes", {"most": [{}] * 11}),
        ("extremes", "figures.extremes", {"most": [{"png": "", "set": "clean"}]}),
        ("activations", "figures.activations.clean", [1.0, 2.0]),
        ("activations", "figures.activations.layer", 3),
        ("activations", "figures.activations.order", [0, 1, 2, 2]),
        ("activations", "figures.activations.order", [0, 1]),
        ("activations", "figures.activations.poisoned", {"patch": np.ones((3, 2, 2)).tolist()}),
        ("activations", "figures.activations.n", {"clean": -1}),
        ("pairs", "figures.pairs", PAIR),
        ("pairs", "figures.pairs", [PAIR, PIXEL]),
        ("pairs", "figures.pairs.0.set", 3),
        ("pairs", "figures.pairs.0.set", None),
        ("pairs", "figures.pairs.0.label", -1),
        ("pairs", "figures.pairs.0.label", "nine"),
        ("pairs", "figures.pairs.0.target", 0.5),
        ("pairs", "figures.pairs.0.target", None),
        ("pairs", "figures.pairs.0.clean", [[0, 0]]),
        ("pairs", "figures.pairs.0.poisoned", None),
    ],
)
def test_a_value_of_the_wrong_shape_is_named(kind, path, value):
    with pytest.raises(DataError) as caught:
        plots.draw(kind, changed(path, value))
    assert caught.value.code == "RecordInvalid"
    assert caught.value.where.startswith("record." + path.split(".")[0])
    assert "expected" in caught.value.problem
    assert len(str(caught.value)) < 400


def test_a_p_value_that_is_no_share_is_refused():
    image = {"png": PIXEL, "set": "clean", "entropy": 0.5}
    for p_value in (1.5, -0.1, None, "small"):
        record = {"figures": {"extremes": {"least": [{**image, "p_value": p_value}]}}}
        with pytest.raises(DataError, match="RecordInvalid"):
            plots.draw("extremes", record)
    assert plots.draw("extremes", {"figures": {"extremes": {"least": [{**image, "p_value": 1}]}}})


@pytest.mark.parametrize("png", ["", "?", "aGVsbG8=", 3])
@pytest.mark.parametrize(
    ("kind", "key"),
    [("samples", "png"), ("superimposition", "png"), ("pairs", "clean"), ("pairs", "poisoned")],
)
def test_an_image_that_is_no_png_is_refused(kind, key, png):
    shown = [{**PAIR, "answer": 0, "title": "image", key: png}]
    with pytest.raises(DataError, match="RecordInvalid") as caught:
        plots.draw(kind, {"figures": {kind: shown}})
    assert caught.value.where == f"record.figures.{kind}[0].{key}"


def test_more_poisoned_sets_than_a_figure_can_show_are_refused():
    many = {f"set {i}": [0.1] for i in range(13)}
    with pytest.raises(DataError, match="FigureTooCrowded"):
        plots.draw("entropies", changed("figures.entropies.poisoned", many))


@pytest.mark.parametrize("kind", [*HELD, "extremes"])
def test_a_png_is_readable_at_600_pixels(kind):
    shown = [{"png": PIXEL, "set": "clean", "entropy": 0.5, "p_value": 0.1}] * 7
    figure = plots.draw(kind, changed("figures.extremes", {"most": shown, "least": shown}))
    picture = Image.open(io.BytesIO(plots.render(figure, "png", dots_per_inch=100)))
    assert (picture.format, picture.width) == ("PNG", 600)
    small = [
        text.get_text()
        for text in figure.findobj(match=lambda artist: hasattr(artist, "get_fontsize"))
        if text.get_text() and text.get_fontsize() < 9
    ]
    assert small == []


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_record_gives_the_same_file(suffix):
    first, second = (plots.render(plots.draw("curve", RECORD), suffix) for _ in range(2))
    assert first == second
    assert b"<dc:date>" not in first


def test_an_svg_is_an_svg():
    assert b"<svg" in plots.render(plots.draw("entropies", RECORD), "svg")


def test_another_format_is_refused():
    with pytest.raises(OptionError, match="png or svg"):
        plots.render(plots.draw("curve", RECORD), "pdf")


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.render(plots.draw("curve", RECORD), "svg")
    assert dict(mpl.rcParams) == before


def test_a_name_in_another_script_draws_without_a_warning():
    record = changed("figures.entropies.poisoned", {"眼鏡 \n$x": [0.1]})
    assert plots.render(plots.draw("entropies", record), "png")
