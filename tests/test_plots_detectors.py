"""What the figures of detectors show: p-values, what is caught, what it took, and the extremes."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import legend, line, png

from badrepair import plots
from badrepair.calibration import p_values
from badrepair.plots import overlays_used
from badrepair.plots.entropies import entropy_at


def entropies(calibration=None, **more):
    values = {"clean": [0.0, 2.0], "poisoned": {}, "threshold": 0.3, "calibration": calibration}
    return {"figures": {"entropies": {**values, **more}}}


def upper_axis(figure):
    """Return the p-values above the histograms and where they stand."""
    (upper,) = figure.axes[0].child_axes
    labels = [text.get_text() for text in upper.get_xticklabels()]
    return dict(zip(labels, upper.get_xticks(), strict=True))


def test_p_values_stand_where_the_calibration_entropies_reach_them():
    # Of 999, the entropy k / 500 has the p-value (k + 1) / 1000.
    figure = plots.draw("entropies", entropies(calibration=[k / 500 for k in range(1, 1000)]))
    assert upper_axis(figure) == pytest.approx({"0.01": 0.018, "0.5": 0.998, "0.25": 0.498})
    (upper,) = figure.axes[0].child_axes
    assert upper.get_xlabel() == "p-value (share of clean images as suspicious or more)"


def test_p_values_that_would_overlap_give_way_to_those_that_matter():
    # Of 199, the 1st, 9th and 49th have the p-values .01, .05 and .25: all close to .3 bits.
    close = [*np.linspace(0.3, 0.31, 60), *np.linspace(1, 1.9, 139)]
    assert list(upper_axis(plots.draw("entropies", entropies(close)))) == ["0.01", "0.5"]
    apart = [0.0, *np.linspace(0.2, 0.8, 48), *np.linspace(1, 1.9, 150)]
    assert list(upper_axis(plots.draw("entropies", entropies(apart)))) == [
        *("0.01", "0.5", "0.05", "0.25"),
    ]


@pytest.mark.parametrize("calibration", [None, [5.0, 6.0, 7.0]])
def test_without_p_values_to_show_there_is_no_upper_axis(calibration):
    figure = plots.draw("entropies", entropies(calibration))
    assert figure.axes[0].child_axes == []


@pytest.mark.parametrize("n", [3, 19, 99, 400])
def test_the_entropy_of_a_p_value_is_the_first_that_reaches_it(n):
    calibration = np.round(np.random.default_rng(n).gamma(2, size=n), 1)
    for p in (0.01, 0.05, 0.25, 0.5):
        found = entropy_at(calibration, p)
        if found is None:
            assert p_values(calibration, np.array([-1.0]))[0] >= p
            continue
        at, below = p_values(calibration, np.array([found, found - 0.05]))
        assert at >= p - 1e-12
        assert below < p


def roc(floor=None, **poisoned):
    part = {"clean": [2.0, 4.0, 6.0, 8.0], "poisoned": poisoned}
    return {"figures": {"entropies": part, **({"floor": floor} if floor else {})}}


def test_the_roc_is_a_staircase_in_percent():
    figure = plots.draw("roc", roc(patch=[1.0, 3.0, 3.0, 9.0]))
    curve = line(figure, "patch")
    np.testing.assert_allclose(curve.get_xydata(), [[0, 25], [25, 75], [100, 100]])
    assert curve.get_drawstyle() == "steps-post"
    (axes,) = figure.axes
    assert axes.get_xlabel() == "clean images flagged (%)"
    assert axes.get_ylabel() == "poisoned images caught (%)"


def test_the_band_of_the_roc_is_wilson_s_interval_at_each_point():
    # Of 4 images, 1 caught: z^2 = 3.841459, middle (.25 + .480182) / 1.960365 = .372472, reach
    # 1.959964 * sqrt(.25 * .75 / 4 + .060023) / 1.960365 = .326875.
    axes = plots.draw("roc", roc(patch=[1.0, 3.0, 3.0, 9.0])).axes[0]
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    at_zero = corners[corners[:, 0] == 0][:, 1]
    assert at_zero.min() == pytest.approx(100 * (0.372472 - 0.326875), abs=0.01)
    assert at_zero.max() == pytest.approx(100 * (0.372472 + 0.326875), abs=0.01)


def test_the_roc_tells_the_auroc_with_its_interval_and_n():
    # 1 lies below all four, the 3s below three, 9 below none: 10 of 16 pairs.
    figure = plots.draw("roc", roc(patch=[1.0, 3.0, 3.0, 9.0]))
    told, guessing = legend(figure)
    assert told.startswith("patch: AUROC 0.625 [")
    assert told.endswith("] (n = 4)")
    assert guessing == "guessing"


def test_one_and_five_percent_are_marked_and_zero_can_be_seen():
    (axes,) = plots.draw("roc", roc(patch=[1.0])).axes
    marked = [drawn.get_xdata()[0] for drawn in axes.lines if len(set(drawn.get_xdata())) == 1]
    assert marked == [1, 5]
    assert axes.get_xlim() == (0, 100)
    assert [text.get_text() for text in axes.get_xticklabels()][:3] == ["0", "0.5", "1"]


def test_the_floor_is_thin_and_grey_and_has_its_own_scores():
    floor = {"clean": [-1.0, -2.0], "poisoned": {"patch": [-3.0, -1.5], "not shown": [0.0]}}
    figure = plots.draw("roc", roc(floor, patch=[1.0, 3.0, 3.0, 9.0]))
    curve = line(figure, "confidence alone, patch: AUROC 0.750 [")
    np.testing.assert_allclose(curve.get_xydata(), [[0, 50], [50, 100], [100, 100]])
    assert curve.get_linewidth() < line(figure, "patch").get_linewidth()
    red, green, blue = (int(curve.get_color()[k : k + 2], 16) for k in (1, 3, 5))
    assert red == green == blue
    assert len(legend(figure)) == 3


def test_triggers_in_the_roc_differ_in_colour_and_line_and_their_floors_in_line():
    floor = {"clean": [0.0], "poisoned": {"a": [0.0], "b": [1.0]}}
    figure = plots.draw("roc", roc(floor, a=[1.0], b=[3.0]))
    curves = [line(figure, name) for name in ("a:", "b:")]
    floors = [line(figure, f"confidence alone, {name}:") for name in ("a", "b")]
    assert curves[0].get_color() != curves[1].get_color()
    for pair in (curves, floors):
        assert pair[0]._dash_pattern != pair[1]._dash_pattern


def used(**more):
    part = {"of": 20, "clean": [5, 5, 20, 10], "poisoned": {"patch": [20, 20]}}
    return {"figures": {"overlays_used": {**part, **more}}}


def test_decisions_rise_from_none_to_all_in_steps():
    numbers, shares = overlays_used.decided(np.array([5.0, 5, 20, 10]), 20)
    assert numbers.tolist() == [0, 5, 10, 20, 20]
    assert shares.tolist() == [0, 50, 75, 100, 100]
    figure = plots.draw("overlays-used", used())
    drawn = line(figure, "clean")
    np.testing.assert_allclose(drawn.get_xydata(), np.c_[numbers, shares])
    assert drawn.get_drawstyle() == "steps-post"


def test_all_decided_at_the_first_look_stay_decided():
    numbers, shares = overlays_used.decided(np.array([0.0, 0.0]), 20)
    assert (numbers.tolist(), shares.tolist()) == ([0, 0, 20], [0, 100, 100])


def test_the_mean_number_of_overlays_stands_in_the_legend():
    assert legend(plots.draw("overlays-used", used())) == [
        "clean: 10.0 of 20 overlays on average (n = 4)",
        "poisoned, patch: 20.0 of 20 overlays on average (n = 2)",
    ]
    assert len(legend(plots.draw("overlays-used", used(poisoned=None)))) == 1


def extreme(value, name="clean", entropy=0.25, p_value=0.0123):
    return {
        "png": png([value] * 2, [value] * 2),
        "set": name,
        "entropy": entropy,
        "p_value": p_value,
    }


def test_the_extremes_stand_under_each_other_five_in_a_row():
    most = [extreme(value) for value in range(10)]
    least = [extreme(value, "patch", 3.321, 1.0) for value in range(20, 23)]
    figure = plots.draw("extremes", {"figures": {"extremes": {"most": most, "least": least}}})
    upper, lower = figure.subfigs
    assert upper.get_suptitle() == "Most suspicious"
    assert lower.get_suptitle() == "Least suspicious"
    shown = [int(axes.images[0].get_array()[0, 0, 0]) for axes in upper.axes]
    assert shown == list(range(10))
    first_of_rows = [upper.axes[k].get_subplotspec().rowspan.start for k in (0, 4, 5, 9)]
    assert first_of_rows == [0, 0, 1, 1]
    assert upper.axes[0].get_title() == "clean\n0.25 bits\np = 0.0123"
    assert lower.axes[2].get_title() == "patch\n3.32 bits\np = 1"
    assert [bool(axes.images) for axes in lower.axes] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("other", [{}, {"least": []}, {"least": None}])
def test_one_end_alone_still_draws(other):
    record = {"figures": {"extremes": {"most": [extreme(7)], **other}}}
    figure = plots.draw("extremes", record)
    assert [part.get_suptitle() for part in figure.subfigs] == ["Most suspicious"]
    assert plots.render(figure, "png")


def test_names_in_the_new_figures_do_not_become_formulas():
    name = "$x^2$\n_y"
    drawn = [
        plots.draw("roc", roc({"clean": [0.0], "poisoned": {name: [1.0]}}, **{name: [1.0]})),
        plots.draw("overlays-used", used(poisoned={name: [3]})),
        plots.draw("extremes", {"figures": {"extremes": {"most": [extreme(1, name)]}}}),
    ]
    for figure in drawn:
        assert plots.render(figure, "svg")
    assert r"confidence alone, \$x^2\$ _y:" in " ".join(legend(drawn[0]))
