"""The page stands alone: nothing is fetched, no name becomes markup, and it sorts in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser

import bench_lines
import pytest
from bench_lines import NONE, cell, done, failed

from badrepair.bench.page import page
from badrepair.bench.scatter import scatter
from badrepair.bench.summary import summarise

EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
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


def made(lines, planned=(), **more):
    return page(summarise(lines, planned), lines, **more)


@pytest.fixture(scope="module")
def realistic():
    cells = bench_lines.grid()
    return made(bench_lines.realistic(cells), cells, title="quick", clean_images=500)


def test_the_same_lines_give_the_same_bytes_whatever_their_order():
    lines = bench_lines.realistic()
    assert made(lines) == made(lines[::-1])


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
    text = made(lines, title=EVIL, command=EVIL)
    reader = Reader(text)
    assert len(reader.all("script")) == 1
    assert not reader.all("img")
    assert not [one for _, attributes in reader.elements for one in attributes if one[:2] == "on"]
    assert EVIL in "".join(reader.texts)


def test_letters_that_turn_a_line_around_are_written_out():
    text = made([done(cell(NONE, attack="bad\u202enets"))])
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
    text = made([done(cell(NONE))], command="badrepair bench run quick.toml --out here")
    assert "<code>badrepair bench run quick.toml --out here</code>" in text


def test_cells_of_the_heat_map_have_their_number_and_their_step():
    lines = [
        done(cell(NONE), success=(1.0, 1.0)),
        done(cell("anp"), success=(1.0, 0.42)),
        failed(cell("strip")),
    ]
    text = made(lines)
    cells = re.findall(
        r'<td class="(\w+)">(.*?)</td>', text.split('class="heat"')[1].split("</table>")[0]
    )
    found = [one for one in cells if one[0] in {"h9", "h4", "void"}]
    assert found == [("h9", "100.0 %"), ("h4", "42.0 %"), ("void", "failed")]


def test_each_part_of_the_grid_has_its_leaderboard_and_the_whole_is_shown_first(realistic):
    boards = [one for one in Reader(realistic).all("div") if one.get("class") == "exact"]
    assert len(boards) == 9
    assert ["hidden" in one for one in boards] == [False] + [True] * 8
    assert (boards[0]["data-network"], boards[0]["data-rate"]) == ("all", "all")


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
    text = made([], bench_lines.grid(seeds=[0]))
    assert "0<small> of 132</small>" in text
    assert "missing" in text
    assert "0.0 %" not in text


def dumped(text, folder, mark=""):
    """Return the page as it stands after its script ran, opened at an address with a mark."""
    file = folder / "page.html"
    file.write_text(text, "utf-8")
    log = folder / "net.json"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--log-net-log={log}"]
    command += [f"--user-data-dir={folder / 'profile'}", "--no-first-run"]
    # What the browser itself would ask its makers.
    command += ["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command += ["--virtual-time-budget=2000", "--dump-dom", f"file://{file}{mark}"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode(), done.stderr.decode()


def first_board(dom):
    """Return the defences of the board that is shown, in order."""
    (board,) = re.findall(r'<div class="exact"(?![^>]*hidden).*?</table>', dom, re.DOTALL)
    return re.findall(r'<th scope="row">(.*?)</th>', board)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_in_a_browser_the_address_sorts_the_leaderboard(tmp_path, realistic):
    plain, _ = dumped(realistic, tmp_path)
    rank = ["anp", "strip", "fine-pruning", "max-softmax", "fine-tuning", "none"]
    assert first_board(plain) == rank
    assert '<form id="filters">' in plain  # the script ran
    up, told = dumped(realistic, tmp_path, "#sort=acc")
    accuracy = ["anp", "max-softmax", "fine-pruning", "strip", "fine-tuning", "none"]
    assert first_board(up) == accuracy
    assert re.search(r'data-column="acc"[^>]*aria-sort="ascending"', up)
    assert up.count('aria-sort="ascending"><button') == 9  # one in each leaderboard
    down, _ = dumped(realistic, tmp_path, "#sort=-frr")
    # Dashes stand last in either order, as they came.
    assert first_board(down) == ["max-softmax", "strip", "anp", "fine-pruning", *rank[4:]]
    assert "Content Security Policy" not in told


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_in_a_browser_headings_and_filters_do_what_they_say(tmp_path, realistic):
    doing = """
        const press = (column) =>
          document.querySelector(`table.board [data-column="${column}"] button`).click();
        press("acc");
        setTimeout(() => press("acc"), 50);
        const select = document.getElementById("network");
        setTimeout(() => {
          select.value = "fashion-mnist/resnet-20";
          select.dispatchEvent(new Event("change", { bubbles: true }));
        }, 100);
    """
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", realistic)
    text = without_policy.replace("</body>", f"<script>{doing}</script></body>")
    dom, _ = dumped(text, tmp_path)
    assert first_board(dom)[0] == "none"  # the highest accuracy
    assert dom.count('aria-sort="descending"><button') == 9
    marks = re.findall(r'<g class="mark c\d (?:member|exact mean)".*?>', dom)
    shown = [mark for mark in marks if "hidden" not in mark]
    # Of 10 attacks and the mean, 6 defences each.
    assert len(shown) == 66
    assert all('data-network="fashion-mnist/resnet-20"' in mark for mark in shown)
    rows = re.findall(r"<tr [^>]*data-network=.*?>", dom)
    assert {'data-network="digits/small-cnn"' in row for row in rows if "hidden" in row} == {
        True,
        False,  # those of all networks
    }
    assert not [row for row in rows if "digits" in row and "hidden" not in row]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_in_a_browser_no_stranger_s_script_runs(tmp_path):
    run = "document.title='run'"
    attack = f'<script>{run}</script><img src=https://stranger.example/x onerror="{run}">'
    dom, _ = dumped(made([done(cell(NONE, attack=attack))], title="calm"), tmp_path)
    assert "<title>calm</title>" in dom
    log = (tmp_path / "net.json").read_text("utf-8")
    assert "page.html" in log
    assert "stranger.example" not in log
