"""The page stands alone: nothing is fetched, and no name becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import bench_lines
import pytest
from bench_lines import NONE, cell, done, failed, page_of

from badrepair.bench.scatter import scatter
from badrepair.bench.summary import summarise

EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}"
# What makes a browser ask for something.
FETCHING = {"src", "srcset", "action", "poster", "data", "background", "ping"}


class Reader(HTMLParser):
    """Notes elements with their attributes, and the text of table cells."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.raw = [], [], {"style": "", "script": ""}
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        self.texts.append(data)
        if self.inside in self.raw:
            self.raw[self.inside] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def realistic():
    return bench_lines.realistic_page()


def test_the_same_lines_give_the_same_bytes_whatever_their_order():
    lines = bench_lines.realistic()
    assert page_of(lines) == page_of(lines[::-1])


def test_nothing_is_fetched_from_anywhere(realistic):
    reader = Reader(realistic)
    assert not [one for _, attributes in reader.elements for one in attributes if one in FETCHING]
    assert not reader.all("link")
    assert not reader.all("a")
    assert not re.search(r"https?:|//\w|url\(|@import|@font-face", realistic)


def test_only_its_own_style_and_script_may_run(realistic):
    reader = Reader(realistic)
    policy = next(one["content"] for one in reader.all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind, text in reader.raw.items():
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not [attributes for _, attributes in reader.elements if "style" in attributes]


def test_names_from_strangers_stay_text():
    where = {"attack": EVIL, "network": (EVIL, "small-cnn")}
    lines = [
        done(cell(NONE, **where)),
        done(cell("strip", **where), detection=0.9, rejected=0.0),
        failed(cell("anp", **where), message=EVIL),
    ]
    text = page_of(lines, title=EVIL, command=EVIL)
    reader = Reader(text)
    assert len(reader.all("script")) == 1
    assert not reader.all("img")
    assert not [one for _, attributes in reader.elements for one in attributes if one[:2] == "on"]
    assert EVIL in "".join(reader.texts)


def test_letters_that_turn_a_line_around_are_written_out():
    text = page_of([done(cell(NONE, attack="bad\u202enets"))])
    assert "\u202e" not in text
    assert r"bad\u202enets" in text


def test_the_first_paragraph_says_what_was_run(realistic):
    words = " ".join("".join(Reader(realistic).texts).split())
    assert "5 attacks (badnets, blended, label-consistent, two-triggers, wanet)" in words
    # 2 kinds of networks, 11 ways to train them, 3 seeds.
    assert "66 networks, 6 of them clean" in words
    assert "given that network and 500 clean images, never a poisoned one" in words
    assert "375 of 396 cells. 4 failed and 17 are missing." in words
    assert "4 attacks of 20 never worked" in words


def test_the_command_that_repeats_the_run_stands_on_the_page():
    text = page_of([done(cell(NONE))], command="badrepair bench run quick.toml --out here")
    assert "<code>badrepair bench run quick.toml --out here</code>" in text


def test_cells_of_the_heat_map_have_their_number_and_their_step():
    lines = [
        done(cell(NONE), success=(1.0, 1.0)),
        done(cell("anp"), success=(1.0, 0.42)),
        failed(cell("strip")),
    ]
    text = page_of(lines)
    cells = re.findall(
        r'<td class="(\w+)">(.*?)</td>', text.split('class="heat"')[1].split("</table>")[0]
    )
    found = [one for one in cells if one[0] in {"h9", "h4", "void"}]
    assert found == [("h9", "100.0 %"), ("h4", "42.0 %"), ("void", "failed")]


def test_each_part_of_the_grid_has_its_leaderboard_and_the_whole_comes_first(realistic):
    boards = [one for one in Reader(realistic).all("div") if one.get("class") == "exact"]
    assert len(boards) == 9
    # The script hides eight of them; where none runs, all can be read.
    assert not [one for one in boards if "hidden" in one]
    assert (boards[0]["data-network"], boards[0]["data-rate"]) == ("all", "all")


def test_large_marks_do_not_lie_over_those_of_other_parts_of_the_grid(realistic):
    marks = [one for one in Reader(realistic).all("g") if "exact mean" in one.get("class", "")]
    shown = [one for one in marks if "hidden" not in one]
    assert (len(marks), len(shown)) == (54, 6)
    assert {(one["data-network"], one["data-rate"]) for one in shown} == {("all", "all")}


def test_of_a_single_network_the_large_marks_are_shown():
    marks = [one for one in Reader(page_of([done(cell(NONE))])).all("g") if "data-rate" in one]
    assert ["hidden" in one for one in marks] == [False, False]


def test_what_needs_the_script_is_not_offered_without_it(realistic):
    reader = Reader(realistic)
    assert all("disabled" in one for one in reader.all("button"))
    assert re.search(r"<span id=\"sorting\" hidden>\s*Choose a heading", realistic)
    assert re.search(r'<form id="filters" hidden>', realistic)


def test_the_number_that_ranks_attacks_left_counts_those_that_were_not_measured():
    lines = [
        *(done(cell(NONE, attack=attack)) for attack in ("badnets", "blended", "wanet")),
        done(cell("anp", attack="badnets"), success=(1.0, 1.0)),
        failed(cell("anp", attack="wanet")),
    ]
    text = page_of(lines)
    assert '<td class="number" data-value="3">1 of 3, 1 failed, 1 missing</td>' in text
    # Where no attack works there is nothing to rank.
    assert not re.search("<td[^>]*data-value", page_of([done(cell(NONE), success=(0.1, 0.1))]))


def test_attacks_that_lower_clean_accuracy_stand_in_the_first_paragraphs():
    lines = [
        done(cell(NONE, attack=NONE, rate=0.0), accuracy=(0.65, 0.65)),
        done(cell(NONE, attack="input-aware"), accuracy=(0.1, 0.1)),
    ]
    words = " ".join("".join(Reader(page_of(lines)).texts).split())
    head = words.split("Leaderboard")[0]
    assert "1 attack of 1 has a clean accuracy drop of more than 2 points" in head
    assert "input-aware 10 % (55.0 points)" in head
    without = " ".join("".join(Reader(page_of(lines[1:])).texts).split())
    assert "input-aware 10 % (" not in without


def test_every_mark_of_the_drawing_says_what_it_stands_for():
    lines = [
        done(cell(NONE), success=(1.0, 1.0), accuracy=(0.9, 0.9)),
        done(cell("anp"), success=(1.0, 0.5), accuracy=(0.9, 0.95)),
    ]
    anp, none, best, _ = scatter(summarise(lines)).marks
    assert none.says == (
        "none: badnets 10 %, digits/small-cnn: attack success 100.0 %, clean accuracy 90.0 %,"
        " 1 cell"
    )
    assert best.says.startswith("anp: mean over digits/small-cnn: ")
    assert [one.mean for one in (anp, none, best)] == [False, False, True]
    # At the right end, and on the lowest line, that of 90 %; half-way to the left, and up.
    assert (none.x, none.y) == (736.0, 384.0)
    assert (anp.x, anp.y) == (best.x, best.y) == (404.0, 210.0)
    assert (anp.look.shape, anp.look.colour) != (none.look.shape, none.look.colour)


def test_forty_defences_are_told_apart():
    lines = [done(cell(NONE))]
    lines += [
        bench_lines.replace_defense(done(cell("anp")), f"defence {index}") for index in range(40)
    ]
    looks = scatter(summarise(lines)).looks
    assert len({(look.colour, look.shape) for look in looks}) == 41


def test_a_grid_of_which_nothing_is_done_yet_is_a_page_too():
    text = page_of([], bench_lines.grid(seeds=[0]))
    assert "0<small> of 132</small>" in text
    assert "missing" in text
    assert "0.0 %" not in text


def test_a_grid_without_defences_does_not_speak_of_them():
    text = page_of([done(cell(NONE))])
    assert "was given that network" not in text
    assert "was given that network" in page_of([done(cell(NONE)), done(cell("anp"))])
