"""In a browser the page sorts and filters, and is whole where no script runs."""

from __future__ import annotations

import re
import shutil
import subprocess

import bench_lines
import pytest
from bench_lines import NONE, cell, done, failed, page_of

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def realistic():
    return bench_lines.realistic_page()


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


def test_in_a_browser_what_was_not_measured_is_sorted_as_if_it_were_left(tmp_path):
    left = {"anp": ([0.9, 0.0, 0.0]), "fine-tuning": (0.9, 0.9, 0.0), "fine-pruning": (0, 0, 0)}
    attacks = ("badnets", "blended", "wanet")
    lines = [done(cell(NONE, attack=attack)) for attack in attacks]
    lines += [
        done(cell(name, attack=attack), success=(1.0, one))
        for name, successes in left.items()
        for attack, one in zip(attacks, successes, strict=True)
    ]
    # Of strip, nothing is left and two are unknown: more than of anp, as many as of fine-tuning.
    lines += [done(cell("strip"), success=(1.0, 0.0)), failed(cell("strip", attack="wanet"))]
    text = page_of(lines)
    up, _ = dumped(text, tmp_path, "#sort=attacks-left")
    assert first_board(up) == ["fine-pruning", "anp", "strip", "fine-tuning", "none"]
    down, _ = dumped(text, tmp_path, "#sort=-attacks-left")
    assert first_board(down) == ["none", "strip", "fine-tuning", "anp", "fine-pruning"]


def test_in_a_browser_one_part_of_the_grid_is_shown_and_headings_can_be_pressed(
    tmp_path, realistic
):
    dom, _ = dumped(realistic, tmp_path)
    boards = re.findall(r'<div class="exact".*?>', dom)
    assert ["hidden" in one for one in boards] == [False] + [True] * 8
    assert '<span id="sorting">' in dom
    assert "disabled" not in dom.split("<script>")[0].split("</style>")[1]


def test_in_a_browser_without_scripts_every_leaderboard_can_be_read(tmp_path, realistic):
    refused = re.sub(r"script-src '.*?'", "script-src 'none'", realistic)
    dom, _ = dumped(refused, tmp_path)
    boards = re.findall(r'<div class="exact".*?>', dom)
    assert ["hidden" in one for one in boards] == [False] * 9
    assert '<span id="sorting" hidden="">' in dom
    means = re.findall(r'<g class="mark c\d exact mean".*?>', dom)
    assert sum("hidden" not in one for one in means) == 6


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


def test_in_a_browser_no_stranger_s_script_runs(tmp_path):
    run = "document.title='run'"
    attack = f'<script>{run}</script><img src=https://stranger.example/x onerror="{run}">'
    dom, _ = dumped(page_of([done(cell(NONE, attack=attack))], title="calm"), tmp_path)
    assert "<title>calm</title>" in dom
    log = (tmp_path / "net.json").read_text("utf-8")
    assert "page.html" in log
    assert "stranger.example" not in log
