"""`badrepair prune --rank`: which images each ranking may see, and which it must not."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.cli import measuring
from badrepair.models import ranking
from cli.repairs import attempted, names, record_of, repaired, weights, written
from cli.stored import arrays_in
from cli.terminal import assert_complaint, assert_refused, done, listing, run

BLIND = ("activation", "lipschitz", "random")


@pytest.fixture(scope="module")
def contrasted(bench, tmp_path_factory):
    """Return outcome and record of a ranking by contrast."""
    output = tmp_path_factory.mktemp("contrast") / "out.keras"
    return repaired(bench, output, "--rank", "contrast")


def contrasting(bench, output, poisoned):
    """Rank by contrast with other poisoned images than those of the bench."""
    files = ("--model", bench.model, "--clean", bench.clean, "--poisoned", f"other={poisoned}")
    options = ("--rank", "contrast", "--epochs", 0, "--input-range", "0-1")
    return run("prune", *files, *options, "-o", output)


def choices(bench, output, rank, *inputs, epochs=0):
    """Return the choices of a run on some of the files of the bench."""
    options = ("--rank", rank, "--epochs", epochs, "--input-range", "0-1")
    done("prune", "--model", bench.model, *inputs, *options, "-o", output)
    return record_of(output)["choices"]


def test_contrast_without_poisoned_images_is_refused_before_anything_is_read(bench, tmp_path):
    model = tmp_path / "model.keras"
    model.write_text("no model")
    before = listing(tmp_path)
    options = ("--clean", bench.clean, "--rank", "contrast", "-o", tmp_path / "out.keras")
    outcome = run("prune", "--model", model, *options)
    assert_refused(outcome, 2, "OptionInvalid", "--rank", "contrast", "--poisoned")
    assert listing(tmp_path) == before


def test_contrast_says_that_it_chose_with_poisoned_data(contrasted):
    outcome, record = contrasted
    assert record["choices"]["rank"] == "contrast"
    assert record["choices"]["chose_with_poisoned_data"] is True
    sentence = "chose with poisoned data: the ranking has seen images with the trigger"
    assert record["choices"]["why"].endswith(sentence)
    assert sentence in outcome.out


def test_half_of_the_poisoned_images_rank_and_the_others_measure(bench, tmp_path, monkeypatch):
    seen = {"rank": [], "measure": []}

    def rank(pruner, images, poisoned):
        seen["rank"] += [np.asarray(one[:]) for one in poisoned]
        return most_contrasting_first(pruner, images, poisoned)

    def measure(model, test, poisoned, **options):
        seen["measure"] = [np.asarray(one.images[:]) for one in poisoned]
        return evaluate(model, test, poisoned, **options)

    most_contrasting_first, evaluate = ranking.most_contrasting_first, measuring.evaluate
    monkeypatch.setattr(ranking, "most_contrasting_first", rank)
    monkeypatch.setattr(measuring, "evaluate", measure)
    repaired(bench, tmp_path / "out.keras", "--rank", "contrast")
    ranked, measured = (
        {image.tobytes() for images in sets for image in images} for sets in seen.values()
    )
    counted = int(np.sum(arrays_in(bench.test)["label"] != 7))
    assert (len(ranked), len(measured)) == (counted // 2, counted - counted // 2)
    assert not ranked & measured


def test_the_table_and_the_record_count_the_half_that_measures(contrasted, bench):
    outcome, record = contrasted
    half = int(np.sum(arrays_in(bench.test)["label"] != 7)) // 2
    rows = [line for line in outcome.lines if line.startswith("patch")]
    assert [int(row.split()[-1]) for row in rows] == [half, half]
    assert [model["attacks"][0]["n"] for model in record["models"]] == [half, half]
    assert record["figures"]["curve"]["n"] == {"patch": half}
    assert f"of {half} poisoned images" in outcome.out


def test_a_poisoned_set_that_is_too_small_to_be_halved_is_refused(bench, tmp_path):
    arrays = arrays_in(bench.poisoned)
    one = written(tmp_path / "one.h5", arrays, np.flatnonzero(arrays["true_label"] != 7)[:1])
    outcome = contrasting(bench, tmp_path / "out.keras", one)
    assert_complaint(outcome, 65, "TooFewImages", "other")
    assert names(tmp_path) == ["one.h5"]


def test_contrast_with_images_of_the_target_only_says_what_is_missing(bench, tmp_path):
    arrays = arrays_in(bench.poisoned)
    target = written(tmp_path / "target.h5", arrays, arrays["true_label"] == 7)
    outcome = contrasting(bench, tmp_path / "out.keras", target)
    assert outcome.code in {2, 65}
    assert "target class" in outcome.err
    assert "found contrast" not in outcome.err


@pytest.mark.parametrize("rank", BLIND)
def test_the_poisoned_file_changes_nothing_in_other_rankings(bench, tmp_path, rank):
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    clean, poisoned = ("--clean", bench.clean), ("--poisoned", bench.poisoned)
    chosen = choices(bench, first, rank, *clean, *poisoned, epochs=1)
    assert chosen == choices(bench, second, rank, *clean, epochs=1)
    assert chosen["chose_with_poisoned_data"] is False
    assert "poisoned" not in chosen["why"]
    pairs = zip(weights(first), weights(second), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_another_trigger_changes_the_order_by_contrast(bench, tmp_path, contrasted):
    arrays = arrays_in(bench.poisoned)
    arrays["data"] = arrays["data"][..., ::-1, ::-1]
    turned = written(tmp_path / "turned.h5", arrays, slice(None))
    outcome = contrasting(bench, tmp_path / "out.keras", turned)
    assert outcome.code == 0, outcome.err
    order = record_of(tmp_path / "out.keras")["choices"]["order"]
    assert order != contrasted[1]["choices"]["order"]


@pytest.mark.parametrize(
    ("rank", "sees_images"), [("activation", True), ("lipschitz", False), ("random", False)]
)
def test_only_activations_depend_on_the_clean_images(bench, tmp_path, rank, sees_images):
    few = written(tmp_path / "few.h5", arrays_in(bench.clean), slice(0, 60))
    all_of_them, some = (
        choices(bench, tmp_path / f"{name}.keras", rank, "--clean", path)["order"]
        for name, path in (("all", bench.clean), ("some", few))
    )
    assert (all_of_them != some) == sees_images


def test_only_a_random_order_depends_on_the_seed_where_no_image_counts(bench, tmp_path):
    clean = ("--clean", bench.clean)
    orders = {
        (rank, seed): choices(bench, tmp_path / f"{rank}{seed}.keras", rank, *clean, "--seed", seed)
        for rank in ("lipschitz", "random")
        for seed in (1, 2)
    }
    assert orders["lipschitz", 1]["order"] == orders["lipschitz", 2]["order"]
    assert orders["random", 1]["order"] != orders["random", 2]["order"]
    assert all(sorted(chosen["order"]) == list(range(64)) for chosen in orders.values())


def test_an_unknown_ranking_is_answered_with_those_there_are(bench, tmp_path):
    outcome = attempted(bench, tmp_path / "out.keras", "--rank", "best")
    assert_refused(outcome, 2, "Usage", "--rank", *BLIND, "contrast")
