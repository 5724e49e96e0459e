"""What each figure shows: its axes, series, limits and words."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import legend, line, png

from badrepair import plots
from badrepair.plots import activations, error_rates, style

LONG = "the very long name of a trigger in the lower right corner"


def curve(**choices):
    rows = [
        {"pruned": 0, "accuracy": 0.98, "attack_success": {"patch": 1.0, "blend": None}},
        {"pruned": 1, "accuracy": 0.96, "attack_success": {"patch": 0.5}},
        {"pruned": 2, "accuracy": 0.9},
    ]
    known = {"layer": "conv_3", "level": 1, "max_drop": 0.04, "baseline_accuracy": 0.98}
    figures = {"curve": {"n": {"patch": 50}}}
    return {"curve": rows, "choices": {**known, **choices}, "figures": figures}


def test_the_curve_shows_accuracy_in_percent_against_pruned_channels():
    figure = plots.draw("curve", curve(images={"held_out": 287}))
    (axes,) = figure.axes
    assert axes.get_xlabel() == "channels pruned (number)"
    assert axes.get_ylabel() == "share of images (%)"
    assert axes.get_ylim() == (-2, 102)
    accuracy = line(figure, "accuracy on held-out")
    np.testing.assert_allclose(accuracy.get_xydata(), [[0, 98], [1, 96], [2, 90]])
    assert accuracy.get_label() == "accuracy on held-out clean images (n = 287)"


def test_the_curve_leaves_a_gap_where_an_attack_was_not_measured():
    figure = plots.draw("curve", curve())
    np.testing.assert_allclose(line(figure, "attack success, patch").get_ydata(), [100, 50, np.nan])
    assert np.isnan(line(figure, "attack success, blend").get_ydata()).all()
    assert "attack success, patch (n = 50)" in legend(figure)
    assert "attack success, blend" in legend(figure)


def test_the_curve_marks_the_kept_level_and_the_budget():
    figure = plots.draw("curve", curve())
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["kept: 1 pruned"]
    assert any(list(drawn.get_xdata()) == [1, 1] for drawn in axes.lines)
    budget = line(figure, "accuracy budget")
    np.testing.assert_allclose(budget.get_ydata(), [94, 94])
    assert budget.get_label() == "accuracy budget 94.0 % (at most 4.0 points below 98.0)"


def test_a_curve_without_choices_is_only_the_curve():
    figure = plots.draw("curve", {"curve": curve()["curve"]})
    assert len(figure.axes[0].lines) == 3
    assert not figure.axes[0].texts


def test_series_differ_in_colour_line_and_marker():
    figure = plots.draw("curve", curve())
    series = figure.axes[0].lines[:3]
    for look in ("get_color", "get_marker"):
        assert len({getattr(drawn, look)() for drawn in series}) == 3
    looks = [style.CLEAN, *(style.poisoned(i) for i in range(6))]
    for what in ("colour", "marker", "line", "hatch"):
        assert len({getattr(look, what) for look in looks}) == 7


def entropies(**more):
    values = {"clean": [0.0, 0.5, 0.5, 1.0], "poisoned": {"patch": [0.0, 0.1]}, "threshold": 0.3}
    return {"figures": {"entropies": {**values, "false_rejection_target": 0.01, **more}}}


def test_the_histograms_are_shares_of_100_percent_on_shared_bins():
    figure = plots.draw("entropies", entropies())
    (axes,) = figure.axes
    clean, poisoned = axes.patches
    for drawn in (clean, poisoned):
        assert drawn.get_data().values.sum() == pytest.approx(100)
    np.testing.assert_array_equal(clean.get_data().edges, poisoned.get_data().edges)
    assert (clean.get_data().edges[0], clean.get_data().edges[-1]) == (0, 1)
    assert clean.get_data().values[0] == 25
    assert clean.get_data().values[15] == 50
    assert axes.get_xlabel() == "entropy (bits)"
    assert axes.get_ylabel() == "share of images (%)"


def test_the_histograms_name_their_sets_with_n_and_the_threshold():
    figure = plots.draw("entropies", entropies())
    assert legend(figure) == [
        "clean (n = 4)",
        "poisoned, patch (n = 2)",
        "threshold 0.300 bits: flagged below it",
    ]
    np.testing.assert_allclose(line(figure, "threshold").get_xdata(), [0.3, 0.3])


def test_poisoned_histograms_are_hatched():
    clean, poisoned = plots.draw("entropies", entropies()).axes[0].patches
    assert not clean.get_hatch()
    assert poisoned.get_hatch()


def test_a_detector_without_threshold_has_no_line():
    figure = plots.draw("entropies", entropies(threshold=None))
    assert legend(figure) == ["clean (n = 4)", "poisoned, patch (n = 2)"]


def test_entropies_that_are_all_the_same_still_draw():
    figure = plots.draw("entropies", entropies(clean=[0.0, 0.0], poisoned={}))
    assert figure.axes[0].patches[0].get_data().values[0] == 100


def test_an_image_at_the_threshold_is_not_flagged():
    values, thresholds = np.array([0.1, 0.2, 0.2, 0.4]), np.array([0.1, 0.2, 0.3, 9])
    np.testing.assert_allclose(error_rates.rejected(values, thresholds), [0, 0.25, 0.75, 1])
    np.testing.assert_allclose(error_rates.accepted(values, thresholds), [1, 0.75, 0.25, 0])


def test_false_rejections_rise_and_false_acceptances_fall():
    figure = plots.draw("error-rates", entropies())
    rejected, accepted = line(figure, "FRR"), line(figure, "FAR")
    np.testing.assert_allclose(rejected.get_ydata(), [0, 0, 25, 25, 75, 100])
    np.testing.assert_allclose(accepted.get_ydata(), [100, 100, 50, 0, 0, 0])
    np.testing.assert_allclose(rejected.get_xdata()[1:-1], [0, 0.1, 0.5, 1])
    assert rejected.get_drawstyle() == "steps-pre"


def test_the_operating_point_is_marked_on_both_curves():
    figure = plots.draw("error-rates", entropies(threshold=0.1))
    points = [
        drawn.get_xydata()[0] for drawn in figure.axes[0].lines if len(drawn.get_xdata()) == 1
    ]
    np.testing.assert_allclose(points, [[0.1, 25], [0.1, 50]])
    assert legend(figure) == [
        "FRR 25.0 %: clean images rejected (n = 4)",
        "FAR 50.0 %: patch accepted (n = 2)",
        "threshold 0.100 bits: flagged below it",
        "false rejections aimed at: 1 %",
    ]
    assert figure.axes[0].get_xlabel() == "threshold (bits of entropy)"


def maps(order=None, **poisoned):
    clean = np.arange(3 * 2 * 2, dtype=float).reshape(3, 2, 2)
    part = {"layer": "conv_3", "clean": clean, "poisoned": poisoned, "n": {"clean": 7, "patch": 3}}
    return {"figures": {"activations": {**part, "order": order}}}


def test_maps_stand_side_by_side_in_pruning_order():
    figure = plots.draw("activations", maps(order=[2, 0, 1]))
    shown = figure.axes[0].images[0].get_array()
    # Channel 2 first, then 0, and 1 in the next row, with an empty place beside it.
    expected = [[8, 9, 0, 1], [10, 11, 2, 3], [4, 5, -1, -1], [6, 7, -1, -1]]
    np.testing.assert_array_equal(shown.filled(-1), expected)


def test_activations_share_a_scale_and_differences_are_centred_on_zero():
    clean = np.arange(12.0).reshape(3, 2, 2)
    figure = plots.draw("activations", maps(patch=clean + 5, blend=clean - 8))
    panels = {axes.get_title(): axes.images[0] for axes in figure.axes if axes.images}
    assert list(panels) == [
        "clean (n = 7)",
        "patch (n = 3)",
        "patch minus clean",
        "blend",
        "blend minus clean",
    ]
    for name in ("clean (n = 7)", "patch (n = 3)", "blend"):
        assert panels[name].get_clim() == (-8, 16)
    for name in ("patch minus clean", "blend minus clean"):
        assert panels[name].get_clim() == (-8, 8)
    assert panels["patch minus clean"].get_array().min() == 5
    assert panels["patch minus clean"].get_cmap().name == "RdBu_r"


def test_activations_have_two_colour_bars_with_their_meaning():
    figure = plots.draw("activations", maps(patch=np.zeros((3, 2, 2))))
    bars = [axes.get_xlabel() for axes in figure.axes[1].child_axes]
    assert bars == ["mean activation", "difference from clean"]
    (only,) = plots.draw("activations", maps()).axes[1].child_axes
    assert only.get_xlabel() == "mean activation"


def test_each_row_of_channels_bears_the_number_of_its_first():
    axes = plots.draw("activations", maps(order=[2, 0, 1])).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["1", "3"]
    assert axes.get_ylabel() == "channel (idlest = 1)"
    assert plots.draw("activations", maps()).axes[0].get_ylabel() == "channel (in layer order)"


@pytest.mark.parametrize(("channels", "across"), [(1, 1), (4, 2), (60, 7), (64, 7)])
def test_the_grid_of_channels_is_about_square(channels, across):
    assert activations.columns(channels, 3, 4) == across


def test_a_dead_layer_still_draws():
    part = {"layer": "dead", "clean": np.zeros((2, 1, 1)), "poisoned": {"p": np.zeros((2, 1, 1))}}
    figure = plots.draw("activations", {"figures": {"activations": part}})
    assert plots.render(figure, "png")


def test_samples_stand_under_their_set_with_label_and_answer():
    clean = {"set": "clean", "label": 3, "answer": 3, "png": png([0, 255], [255, 0])}
    stamped = {"set": "patch", "label": 0, "answer": 5, "png": png([9, 9], [9, 9])}
    figure = plots.draw("samples", {"figures": {"samples": [clean, clean, stamped]}})
    assert [part.get_suptitle() for part in figure.subfigs] == ["clean (n = 2)", "patch (n = 1)"]
    first, second, empty = figure.subfigs[0].axes[:3]
    assert first.get_title() == second.get_title() == "label 3\nanswer 3"
    assert not empty.images
    np.testing.assert_array_equal(first.images[0].get_array()[..., 0], [[0, 255], [255, 0]])
    wrong = figure.subfigs[1].axes[0]
    assert (wrong.get_title(), wrong.title.get_fontweight()) == ("label 0\nanswer 5", "bold")
    assert first.title.get_fontweight() == "normal"


def test_a_large_set_says_how_many_of_its_images_are_shown():
    many = [{"set": "clean", "label": 0, "answer": 0, "png": png([0])}] * 20
    (part,) = plots.draw("samples", {"figures": {"samples": many}}).subfigs
    assert part.get_suptitle() == "clean (12 of 20 images)"
    assert sum(bool(axes.images) for axes in part.axes) == 12


def test_the_mixes_stand_below_each_other_with_their_entropy():
    titles = ["image", "overlay", "mix", "poisoned image", "poisoned mix"]
    entropy = [None, None, 1.234, None, 0.0]
    steps = [
        {"title": title, "png": png([value * 10]), "entropy": bits}
        for value, (title, bits) in enumerate(zip(titles, entropy, strict=True))
    ]
    axes = plots.draw("superimposition", {"figures": {"superimposition": steps}}).axes
    assert [a.get_title() for a in axes] == [*titles[:4], "", "poisoned mix"]
    assert [a.get_xlabel() for a in axes] == [
        *("", "", "entropy 1.23 bits", "", "", "entropy 0.00 bits"),
    ]
    assert axes[5].images[0].get_array()[0, 0, 0] == 40


def test_long_names_keep_both_ends():
    shown = style.shown(LONG)
    assert len(shown) == style.LONGEST_NAME
    assert shown.startswith("the very long name")
    assert shown.endswith("ght corner")
    assert "…" in shown


def test_names_do_not_become_formulas_or_vanish_from_the_legend():
    sets = {"$x^2$": [0.1], "_hidden": [0.2], "two\nlines": [0.3]}
    figure = plots.draw("entropies", entropies(poisoned=sets))
    assert legend(figure)[1:4] == [
        r"poisoned, \$x^2\$ (n = 1)",
        "poisoned, _hidden (n = 1)",
        "poisoned, two lines (n = 1)",
    ]
