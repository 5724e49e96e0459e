"""The figure of an attack shows images before and after, and what lies between them."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import png

from badrepair import plots
from badrepair.errors import DataError
from badrepair.plots.parts import MOST_SETS


def pair(clean, poisoned, name="patch", label=3, target=7):
    """Return two grey pictures of one row."""
    pictures = {"clean": png(clean), "poisoned": png(poisoned)}
    return {"set": name, "label": label, "target": target, **pictures}


def drawn(*pairs):
    return plots.draw("pairs", {"figures": {"pairs": list(pairs)}})


def panels(part):
    """Return the title and the first row of the red channel of every panel."""
    return [
        (axes.get_title(), axes.images[0].get_array()[0, :, 0].tolist())
        for axes in part.axes
        if axes.images
    ]


def suptitles(figure):
    return [part.get_suptitle() for part in figure.subfigs]


def test_each_pair_has_three_panels_of_which_the_last_is_the_difference():
    # The largest difference is 50, and 255 / 50 = 5.1: 50 and 20 become 255 and 102.
    figure = drawn(pair([10, 20, 30], [60, 0, 30]))
    assert suptitles(figure) == ["patch (differences of up to 50, shown 5.1 times as large)"]
    assert panels(figure.subfigs[0]) == [
        ("clean\nlabel 3", [10, 20, 30]),
        ("poisoned\ntarget 7", [60, 0, 30]),
        ("difference\n", [255, 102, 0]),
    ]


def test_the_pairs_of_a_trigger_share_the_factor():
    figure = drawn(pair([0], [51]), pair([100], [90], label=1), pair([5], [5]))
    assert suptitles(figure) == ["patch (differences of up to 51, shown 5 times as large)"]
    shown = [row for title, row in panels(figure.subfigs[0]) if title.startswith("difference")]
    assert shown == [[255], [50], [0]]
    assert panels(figure.subfigs[0])[3] == ("clean\nlabel 1", [100])


def test_the_difference_is_that_of_each_colour():
    clean = np.array([[[0, 100, 200]]], np.uint8)
    poisoned = np.array([[[85, 100, 190]]], np.uint8)
    pictures = {"clean": png(*clean), "poisoned": png(*poisoned)}
    (part,) = drawn({"set": "tint", "label": 0, "target": 1, **pictures}).subfigs
    assert part.axes[2].images[0].get_array().tolist() == [[[255, 0, 30]]]


def test_a_difference_that_fills_the_range_is_shown_as_it_is_and_no_factor_is_told():
    figure = drawn(pair([0, 100], [255, 110]))
    assert suptitles(figure) == ["patch (differences of up to 255)"]
    assert panels(figure.subfigs[0])[2] == ("difference\n", [255, 10])


def test_each_trigger_has_its_title_and_its_own_factor():
    figure = drawn(
        pair([0], [255], "patch"), pair([9], [14], "a $ sign"), pair([1], [0], "patch", label=2)
    )
    assert suptitles(figure) == [
        "patch (differences of up to 255)",
        r"a \$ sign (differences of up to 5, shown 51 times as large)",
    ]
    first, second = figure.subfigs
    assert [row for _, row in panels(first)] == [[0], [255], [255], [1], [0], [1]]
    assert [row for _, row in panels(second)] == [[9], [14], [255]]


def test_two_pairs_stand_beside_each_other_and_a_third_below_them():
    (part,) = drawn(*[pair([0], [1])] * 3).subfigs
    rows = [axes.get_subplotspec().rowspan.start for axes in part.axes if axes.images]
    columns = [axes.get_subplotspec().colspan.start for axes in part.axes if axes.images]
    assert rows == [0] * 6 + [1] * 3
    assert columns == [0, 1, 2, 3, 4, 5, 0, 1, 2]


def test_the_figure_grows_with_its_rows_so_that_the_pictures_do_not_shrink():
    low, high = (drawn(*[pair([0], [1])] * count) for count in (2, 6))
    # The title takes .4 inches, each trigger as much, and each row of two pairs 1.4.
    assert low.get_size_inches().tolist() == pytest.approx([6, 0.4 + 1.4 + 0.4])
    assert high.get_size_inches().tolist() == pytest.approx([6, 0.4 + 3 * 1.4 + 0.4])


def test_as_many_triggers_as_a_figure_can_show_are_drawn_and_more_are_refused():
    many = [pair([0], [1], f"trigger {i}") for i in range(MOST_SETS + 1)]
    assert len(drawn(*many[:-1]).subfigs) == MOST_SETS == 12
    with pytest.raises(DataError, match="at most 12 poisoned sets") as caught:
        drawn(*many)
    assert caught.value.code == "FigureTooCrowded"
    assert caught.value.where == "record.figures.pairs"


def test_a_difference_that_is_not_enlarged_or_is_none_is_not_called_so():
    for after, told in ((254, "differences of up to 254)"), (0, "differences of up to 0)")):
        title = drawn(pair([0], [after])).subfigs[0].get_suptitle()
        assert title.endswith(told)


def test_the_same_record_gives_the_same_bytes_every_time():
    """The layout is found by a solver whose last bits are not always the same."""
    pictures = [pair([0] * 9, [row] * 9, f"trigger {row % 3}") for row in range(18)]
    record = {"figures": {"pairs": pictures}}
    found = {plots.render(plots.draw("pairs", record), "png") for _ in range(6)}
    assert len(found) == 1


@pytest.mark.parametrize("poisoned", [[1, 2, 3], [1]])
def test_pictures_of_two_sizes_are_refused(poisoned):
    with pytest.raises(DataError, match="expected two images of one size") as caught:
        drawn(pair([1, 2], [1, 3]), pair([1, 2], poisoned))
    assert caught.value.code == "RecordInvalid"
    assert caught.value.where == "record.figures.pairs[1]"


@pytest.mark.parametrize("key", ["clean", "poisoned"])
def test_a_picture_that_is_cut_off_is_refused(key):
    whole = pair(list(range(200)), list(range(200)))
    with pytest.raises(DataError, match="expected a PNG image in base64") as caught:
        drawn({**whole, key: whole[key][:64]})
    assert caught.value.where == f"record.figures.pairs[0].{key}"
