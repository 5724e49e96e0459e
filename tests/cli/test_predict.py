"""`badrepair predict`: pictures in, classes out, in a form that scripts read."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from cli.stored import answers, arrays_in, images_in
from cli.terminal import assert_refused, done, run

UNIT = ("--input-range", "0-1")
LOSSLESS = ("BMP", "TIFF", "PPM", "GIF")


@pytest.fixture(scope="session")
def pictures(bench, tmp_path_factory):
    """Return a folder with the first twelve patched test digits as PNG files."""
    folder = tmp_path_factory.mktemp("pictures")
    for index, pixels in enumerate(arrays_in(bench.poisoned)["data"][:12, 0]):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"digit{index:02}.png")
    return folder


@pytest.fixture(scope="session")
def colours(tmp_path_factory):
    """Return a net that answers 0, 1 or 2 as red, green or blue is brightest, and a blue image."""
    folder = tmp_path_factory.mktemp("colours")
    image = keras.Input((6, 4, 3))
    answer = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(image))
    keras.Model(image, answer).save(folder / "brightest.keras")
    Image.new("RGB", (4, 6), (10, 20, 200)).save(folder / "blue.png")
    return folder


def expected(bench, count):
    """Return what Keras itself answers for the first patched digits."""
    return answers(bench.model, images_in(bench.poisoned)[:count]).tolist()


def test_one_picture_is_answered_with_the_bare_class(bench, pictures):
    outcome = done("predict", pictures / "digit00.png", "--model", bench.model, *UNIT)
    assert outcome.out == f"{expected(bench, 1)[0]}\n"
    assert outcome.err == ""


def test_several_pictures_are_answered_with_path_tab_class(bench, pictures):
    paths = [pictures / f"digit{index:02}.png" for index in (2, 0)]
    outcome = done("predict", *paths, "--model", bench.model, *UNIT)
    first, _, third = expected(bench, 3)
    assert outcome.out == f"{paths[0]}\t{third}\n{paths[1]}\t{first}\n"


def test_a_folder_is_answered_in_order_of_names_and_other_files_are_passed_over(
    bench, pictures, tmp_path
):
    folder = tmp_path / "folder"
    shutil.copytree(pictures, folder)
    (folder / "notes.txt").write_text("no picture")
    outcome = done("predict", folder, "--model", bench.model, *UNIT, "--batch-size", 5)
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert [row[0] for row in rows] == [str(folder / f"digit{index:02}.png") for index in range(12)]
    assert [int(row[1]) for row in rows] == expected(bench, 12)


def test_a_folder_with_one_picture_still_says_which(bench, pictures, tmp_path):
    shutil.copy(pictures / "digit00.png", tmp_path)
    outcome = done("predict", tmp_path, "--model", bench.model, *UNIT)
    assert outcome.out == f"{tmp_path / 'digit00.png'}\t{expected(bench, 1)[0]}\n"


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_copy_in_another_format_is_answered_alike(bench, pictures, tmp_path, kind):
    copies = []
    for path in sorted(pictures.iterdir()):
        copies.append(tmp_path / f"{path.stem}.{kind.lower()}")
        Image.open(path).save(copies[-1], kind)
    outcome = done("predict", *copies, "--model", bench.model, *UNIT)
    assert [int(line.split("\t")[1]) for line in outcome.out.splitlines()] == expected(bench, 12)


def test_the_channels_are_red_green_blue_unless_bgr_is_said(colours):
    model = ("--model", colours / "brightest.keras", *UNIT)
    assert done("predict", colours / "blue.png", *model).out == "2\n"
    assert done("predict", colours / "blue.png", *model, "--color", "bgr").out == "0\n"


def test_a_picture_of_another_size_is_refused_unless_resizing_is_asked_for(bench, tmp_path):
    path = tmp_path / "large.png"
    Image.new("L", (32, 20), 255).save(path)
    model = ("--model", bench.model, *UNIT)
    outcome = run("predict", path, *model)
    assert_refused(outcome, 65, "SizeMismatch", "16 x 16", "20 x 32", "--resize")
    assert int(done("predict", path, *model, "--resize").out) in range(10)


@pytest.mark.parametrize("resize", [(), ("--resize",)])
def test_a_net_for_any_size_takes_a_picture_as_it_is(colours, tmp_path, resize):
    image = keras.Input((None, None, 3))
    answer = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(image))
    keras.Model(image, answer).save(tmp_path / "any.keras")
    outcome = done(
        "predict", colours / "blue.png", "--model", tmp_path / "any.keras", *UNIT, *resize
    )
    assert outcome.out == "2\n"


def test_the_record_beside_a_model_tells_the_range(pruned, pictures):
    outcome = done("predict", pictures / "digit00.png", "--model", pruned.model)
    assert f"the model takes 0-1, says {pruned.model.with_suffix('.json')}" in outcome.err
    assert outcome.out.strip().isdigit()


def test_clean_data_tells_the_range_of_a_model_without_a_record(bench, pictures):
    options = ("--model", bench.model, "--clean", bench.clean)
    outcome = done("predict", pictures / "digit00.png", *options)
    assert "clean accuracy" in outcome.err
    assert outcome.out == f"{expected(bench, 1)[0]}\n"


def test_without_a_word_on_the_range_the_surmise_is_said_aloud(bench, pictures):
    outcome = done("predict", pictures / "digit00.png", "--model", bench.model)
    assert "seems to take 0..1" in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == f"{expected(bench, 1)[0]}\n"


def test_a_range_that_cannot_be_found_is_asked_for(colours, tmp_path):
    image = keras.Input((6, 4, 3))
    unsure = keras.layers.Dense(3, kernel_initializer="zeros", activation="softmax")
    keras.Model(image, unsure(keras.layers.Flatten()(image))).save(tmp_path / "unsure.keras")
    outcome = run("predict", colours / "blue.png", "--model", tmp_path / "unsure.keras")
    assert_refused(outcome, 2, "RangeUnknown", "--input-range", "--clean")


def test_a_guarded_model_may_answer_n(bench, stripped, pictures):
    outcome = done("predict", pictures, "--model", stripped.model, *UNIT)
    answered = [int(line.split("\t")[1]) for line in outcome.out.splitlines()]
    assert answered == answers(stripped.model, images_in(bench.poisoned)[:12]).tolist()
    assert set(answered) <= set(range(11))


def test_a_weights_only_file_needs_no_architecture_where_it_fits_a_known_net(
    bench, pictures, tmp_path
):
    path = tmp_path / "net.weights.h5"
    keras.saving.load_model(bench.model, compile=False).save_weights(path)
    outcome = done("predict", pictures / "digit00.png", "--model", path, *UNIT)
    assert outcome.out == f"{expected(bench, 1)[0]}\n"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "UnknownFormat"), (b"hello", "UnknownFormat"), (b"\x89PNG\r\n\x1a\n\0", "Unknown")],
)
def test_what_is_no_picture_is_refused(bench, tmp_path, content, kind):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    outcome = run("predict", path, "--model", bench.model, *UNIT)
    assert outcome.code == 65
    assert outcome.err.startswith((f"error[{kind}", "error[Corrupt]"))
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_a_missing_picture_is_named_with_a_similar_one(bench, pictures):
    outcome = run("predict", pictures / "digit0.png", "--model", bench.model, *UNIT)
    assert_refused(outcome, 66, "InputMissing", "digit0.png", "did you mean digit")


def test_an_empty_folder_is_refused(bench, tmp_path):
    outcome = run("predict", tmp_path, "--model", bench.model, *UNIT)
    assert_refused(outcome, 65, "EmptyFolder", str(tmp_path))


def test_one_bad_picture_among_good_ones_leaves_stdout_whole_lines_only(bench, pictures, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    outcome = run("predict", pictures / "digit00.png", bad, "--model", bench.model, *UNIT)
    assert_refused(outcome, 65, "UnknownFormat", str(bad))
