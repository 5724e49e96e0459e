"""Rows 16 to 41 of the fault table: what may be wrong with data, and what is odd but right."""

from __future__ import annotations

import os
import tempfile
import zipfile

import h5py
import numpy as np
import pytest
from cli.terminal import assert_complaint, done, listing, run
from PIL import Image
from quadrants import COUNT, LABELS, network, pictures, stored

PIXELS = pictures()


def changed(values, place, value):
    values = values.copy()
    values[place] = value
    return values


@pytest.fixture
def prune(model, tmp_path):
    """Return a function that prunes with other clean data, whatever comes of it."""

    def prune(clean, *options):
        common = ("--input-range", "0-1", "--epochs", 0, "-o", tmp_path / "out.keras")
        return run("prune", "--model", model, "--clean", clean, *common, *options)

    return prune


@pytest.fixture
def folder(tmp_path):
    """Return a folder of class folders with the clean pictures as PNG files."""
    for row, (picture, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        path = tmp_path / "faces" / str(label) / f"{row:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[..., 0]).save(path)
    return tmp_path / "faces"


def test_fault_16_missing_keys_are_answered_with_those_found(refused, measured, tmp_path):
    path = stored(tmp_path / "f.h5", faces=PIXELS, people=LABELS)
    words = ("data and label", "found faces, people", "--image-key")
    refused(65, "KeyMissing", *words, clean=path)
    keys = ("--image-key", "faces", "--label-key", "people")
    assert measured(path, *keys)[:2] == (1.0, COUNT)


def virtual(file, other):
    layout = h5py.VirtualLayout(PIXELS.shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(other), "data", PIXELS.shape)
    file.create_virtual_dataset("data", layout)


def outside(file, other):
    file["data"] = h5py.ExternalLink(str(other), "data")


def text(file, other):
    file["data"] = np.full(COUNT, b"text")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda file, other: file.create_group("data/inside"), "KeyMissing"),
        (virtual, "H5Virtual"),
        (outside, "H5Link"),
        (text, "H5Dtype"),
    ],
    ids=["group", "virtual", "external", "text"],
)
def test_fault_17_what_is_no_array_of_the_file_itself_is_refused(
    refused, clean, tmp_path, make, kind
):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["label"] = LABELS
        make(file, clean)
    refused(65, kind, str(tmp_path / "f.h5"), "data", clean=tmp_path / "f.h5")


def test_fault_18_channels_first_are_turned(measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS.transpose(0, 3, 1, 2), label=LABELS)
    assert measured(path)[:2] == (1.0, COUNT)


def test_fault_18_a_layout_that_does_not_show_is_asked_for(refused, tmp_path):
    net = network(shape=(4, 4, 4))
    net.save(tmp_path / "cube.keras")
    path = stored(tmp_path / "f.h5", data=np.repeat(PIXELS, 4, axis=3), label=LABELS)
    options = ("--layout nhwc or --layout nchw",)
    refused(65, "LayoutAmbiguous", *options, clean=path, model=tmp_path / "cube.keras")


@pytest.mark.parametrize("labels", [np.eye(4)[LABELS], LABELS[:, None]], ids=["hot", "column"])
def test_fault_19_one_hot_and_column_labels_are_understood(measured, tmp_path, labels):
    assert measured(stored(tmp_path / "f.h5", data=PIXELS, label=labels))[:2] == (1.0, COUNT)


def test_fault_20_whole_floats_are_labels(measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=LABELS.astype(np.float16))
    assert measured(path)[:2] == (1.0, COUNT)


@pytest.mark.parametrize("value", [2.5, np.nan])
def test_fault_20_other_floats_are_refused_with_their_rows(refused, tmp_path, value):
    labels = changed(LABELS.astype(float), [3, 7], value)
    path = stored(tmp_path / "f.h5", data=PIXELS, label=labels)
    refused(65, "LabelNotInteger", f"{value:g} in rows 3, 7", clean=path)


def test_fault_21_labels_from_one_are_told_and_mended(refused, measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=(LABELS + 1).astype(np.uint8))
    words = ("labels 1..4, the model has the classes 0..3", "--label-offset -1")
    refused(65, "LabelRange", *words, clean=path)
    assert measured(path, "--label-offset", -1)[:2] == (1.0, COUNT)


@pytest.mark.parametrize(("labels", "found"), [(LABELS - 1, "-1..2"), (LABELS + 97, "97..100")])
def test_fault_21_negative_and_too_large_labels_are_refused(refused, tmp_path, labels, found):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=labels)
    refused(65, "LabelRange", f"labels {found}, the model has", clean=path)


def test_fault_22_fewer_classes_than_the_model_has_are_named(prune, measured, tmp_path):
    rows = LABELS < 2
    path = stored(tmp_path / "f.h5", data=PIXELS[rows], label=LABELS[rows])
    assert measured(path)[:2] == (1.0, COUNT // 2)
    outcome = prune(path)
    assert outcome.code == 0, outcome.err
    assert "warning: 2 of 4 classes have no clean image (2, 3)" in outcome.err


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fault_23_pixels_that_are_no_numbers_are_refused_or_left_out(
    refused, measured, tmp_path, value
):
    images = changed(PIXELS.astype(np.float32), ([5, 8], 0, 0, 0), value)
    path = stored(tmp_path / "f.h5", data=images, label=LABELS)
    refused(65, "NotFinite", "image 5 has 1 pixel", "--skip-bad", clean=path)
    accuracy, n, err = measured(path, "--skip-bad")
    assert (accuracy, n) == (1.0, COUNT - 2)
    assert err == f"{path}: 2 of 40 images are not finite and left out\n"


def test_fault_23_a_file_without_a_finite_image_is_empty(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=np.full(PIXELS.shape, np.nan), label=LABELS)
    options = ("--skip-bad", "--input-range", "0-1")
    refused(65, "Empty", "every image", clean=path, options=options)


def test_fault_24_other_numbers_of_images_and_labels_are_refused(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=LABELS[:-1])
    refused(65, "CountMismatch", "40 images but 39 labels", clean=path)


def test_fault_25_images_of_another_shape_are_refused_with_both(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS[:, :3], label=LABELS)
    refused(65, "ShapeMismatch", "(4, 4, 1)", "(3, 4, 1)", clean=path)
    network(shape=(4, 4, 3)).save(tmp_path / "color.keras")
    grey = stored(tmp_path / "g.h5", data=PIXELS[..., 0], label=LABELS)
    words = ("the images are grey: repeat their one channel",)
    refused(65, "ShapeMismatch", *words, clean=grey, model=tmp_path / "color.keras")


def test_fault_25_a_picture_of_another_size_is_resized_only_if_asked_for(model, tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(PIXELS[2, ..., 0]).resize((8, 8), Image.Resampling.NEAREST).save(path)
    asked = ("predict", "--model", model, "--input-range", "0-1", path)
    assert_complaint(run(*asked), 65, "SizeMismatch", "expected 4 x 4", "found 8 x 8", "--resize")
    assert done(*asked, "--resize").out == "2\n"


def test_fault_26_the_range_is_found_out_and_told(measured, clean):
    accuracy, _, err = measured(clean, input_range="auto")
    assert accuracy == 1
    assert err == (
        "model: the model takes 0..1: clean accuracy 100.0 % at 0..1 against 75.0 % at 0..255 (40"
        " images)\n"
    )


def test_fault_26_a_range_that_does_not_show_is_asked_for(refused, tmp_path):
    net = network()
    net.get_layer("say").set_weights([np.zeros((4, 4)), np.zeros(4)])
    net.save(tmp_path / "unsure.keras")
    words = ("the range is in doubt", "--input-range 0-1 or --input-range 0-255")
    refused(65, "RangeAmbiguous", *words, model=tmp_path / "unsure.keras", options=())


def test_fault_26_images_from_minus_one_to_one_are_taken_as_they_are_if_asked_for(
    refused, measured, tmp_path
):
    path = stored(tmp_path / "f.h5", data=PIXELS / 127.5 - 1, label=LABELS)
    refused(65, "RangeUnknown", "found -0.8", "--input-range as-is", clean=path)
    assert measured(path, input_range="as-is")[1] == COUNT


def test_fault_27_files_of_different_ranges_are_each_read_in_their_own(model, tmp_path):
    unit = stored(tmp_path / "u.h5", data=PIXELS / 255, label=LABELS)
    zeros = np.zeros(COUNT, int)
    patched = stored(tmp_path / "p.h5", data=PIXELS, label=zeros, true_label=LABELS)
    files = ("--clean", unit, "--poisoned", patched, "--input-range", "0-1")
    found = done("evaluate", "--model", model, *files, "--format", "json").json["models"][0]
    assert found["clean"]["accuracy"] == found["attacks"][0]["recovered_accuracy"] == 1


@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8", "i8", ">u2"])
def test_fault_28_any_type_of_numbers_is_read(measured, tmp_path, dtype):
    path = stored(tmp_path / "f.h5", data=PIXELS.astype(dtype), label=LABELS)
    assert measured(path)[:2] == (1.0, COUNT)


def test_fault_28_booleans_are_black_and_white(measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS > 128, label=LABELS)
    assert measured(path)[:2] == (1.0, COUNT)


def test_fault_28_complex_numbers_and_objects_are_refused(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS.astype(complex), label=LABELS)
    refused(65, "H5Dtype", "complex128", clean=path)
    np.savez(tmp_path / "f.npz", x=PIXELS.astype(complex), y=LABELS)
    refused(65, "PixelType", "complex128", clean=tmp_path / "f.npz")


def test_fault_29_no_image_is_refused(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS[:0], label=LABELS[:0])
    refused(65, "Empty", "no images", clean=path)


def test_fault_29_one_image_is_too_few_for_a_repair_and_twelve_are_doubted(prune, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS[:1], label=LABELS[:1])
    assert_complaint(prune(path), 65, "TooFewImages", "found 1")
    assert [file.name for file in tmp_path.iterdir()] == ["f.h5"]
    path = stored(tmp_path / "g.h5", data=PIXELS[:12], label=LABELS[:12])
    outcome = prune(path)
    assert outcome.code == 0, outcome.err
    assert "how much to prune is chosen by 2 held-out images only" in outcome.err


def test_fault_30_one_class_alone_is_doubted(prune, tmp_path):
    rows = LABELS == 2
    outcome = prune(stored(tmp_path / "f.h5", data=PIXELS[rows], label=LABELS[rows]))
    assert outcome.code == 0, outcome.err
    assert "warning: 3 of 4 classes have no clean image (0, 1, 3)" in outcome.err


def test_fault_31_a_model_that_answers_as_chance_does_is_doubted(prune, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=np.roll(LABELS, 1))
    outcome = prune(path)
    assert outcome.code in {0, 65}, outcome.err
    assert "answers only 0.00 % of the clean images right; check the labels" in outcome.err


def test_fault_32_a_guard_that_rejects_all_clean_images_has_no_accuracy(clean, tmp_path):
    import keras

    image = keras.Input((4, 4, 1))
    say = keras.layers.Dense(5, bias_initializer=keras.initializers.Constant(0))
    net = keras.Model(image, say(keras.layers.Flatten()(image)))
    say.set_weights([np.zeros((16, 5)), np.array([0, 0, 0, 0, 9])])
    net.save(tmp_path / "guard.keras")
    options = ("--clean", clean, "--classes", 4, "--input-range", "0-1", "--format", "json")
    gate = ("--min-accuracy", "0.5")
    outcome = run("evaluate", "--model", tmp_path / "guard.keras", *options, *gate)
    found = outcome.json["models"][0]["clean"]
    assert (outcome.code, found["accuracy"], found["false_rejection_rate"]) == (1, 0, 1)


def test_fault_33_success_counts_the_label_and_recovery_the_true_one(model, tmp_path):
    zeros = np.zeros(COUNT, int)
    arrays = {"data": PIXELS, "label": zeros, "true_label": LABELS}
    files = {
        "both": stored(tmp_path / "b.h5", **arrays),
        "alone": stored(tmp_path / "a.h5", data=PIXELS, label=zeros),
    }
    options = [part for name, file in files.items() for part in ("--poisoned", f"{name}={file}")]
    common = ("--input-range", "0-1", "--format", "json")
    rows = done("evaluate", "--model", model, *options, *common).json["models"][0]["attacks"]
    both, alone = rows
    # The ten images that show the target do not count where that is known.
    assert (both["attack_success_rate"], both["recovered_accuracy"], both["n"]) == (0, 1, 30)
    assert (alone["attack_success_rate"], alone["recovered_accuracy"]) == (0.25, None)


def test_fault_34_a_set_that_is_given_for_two_things_is_doubted(prune, clean, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(clean.read_bytes())
    outcome = prune(clean, "--test", copy, "--poisoned", f"same={clean}")
    assert outcome.code == 0, outcome.err
    assert "copy.h5 is given as --test and holds the images of --clean" in outcome.err
    assert "is given as clean and as poisoned (same)" in outcome.err


@pytest.mark.parametrize("value", [0, 255])
def test_fault_35_constant_and_duplicate_images_divide_by_nothing(prune, tmp_path, value):
    path = stored(tmp_path / "f.h5", data=np.full(PIXELS.shape, value, np.uint8), label=LABELS)
    outcome = prune(path)
    assert outcome.code in {0, 65}, outcome.err
    assert "Warning" not in outcome.err


def test_fault_36_data_without_room_on_disk_is_a_lack_of_resources(refused, tmp_path, monkeypatch):
    np.savez(tmp_path / "f.npz", x=PIXELS, y=LABELS)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    words = (f"GiB in {tempfile.gettempdir()} to unpack it", "TMPDIR")
    refused(69, "DiskFull", *words, clean=tmp_path / "f.npz")


def test_fault_37_pickled_objects_are_refused(refused, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    np.savez(tmp_path / "f.npz", x=np.array([Bomb()] * COUNT), y=LABELS)
    refused(65, "PickleRefused", "x holds Python objects", clean=tmp_path / "f.npz")


def test_fault_37_a_bomb_is_refused_before_it_is_unpacked(refused, tmp_path):
    np.savez_compressed(tmp_path / "f.npz", x=np.zeros((2**17, 32, 32), np.uint8), y=LABELS)
    refused(65, "DataBomb", "unpack to 134,217,728", clean=tmp_path / "f.npz")


def test_fault_38_system_files_are_passed_over_in_silence_and_others_counted(measured, folder):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / "0" / name).write_bytes(b"junk")
    assert measured(folder) == (1.0, COUNT, "")
    (folder / "1" / "notes.txt").write_text("ten faces")
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, COUNT)
    assert err == f"{folder}: 1 of 41 files are neither PNG nor JPEG; they are passed over\n"


def test_fault_38_many_other_files_are_refused(refused, folder):
    for number in range(5):
        (folder / "1" / f"{number}.txt").touch()
    refused(65, "NotPictures", "5 of 45 files", clean=folder)


def spoil(path, kind):
    """Write a bad picture."""
    whole = path.read_bytes()
    if kind == "cut off":
        path.write_bytes(whole[:-30])
    elif kind == "flipped":
        place = whole.index(b"IDAT") + 8
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    elif kind == "bomb":
        Image.new("1", (13_000, 13_000)).save(path)


@pytest.mark.parametrize(
    ("kind", "code"), [("cut off", "Corrupt"), ("flipped", "Corrupt"), ("bomb", "ImageTooLarge")]
)
def test_fault_39_a_damaged_picture_is_named_or_left_out(refused, measured, folder, kind, code):
    spoil(folder / "2" / "06.png", kind)
    refused(65, code, str(folder / "2" / "06.png"), clean=folder)
    accuracy, n, err = measured(folder, "--skip-bad")
    assert (accuracy, n) == (1.0, COUNT - 1)
    assert err == f"{folder}: 1 of 40 pictures cannot be decoded\n"


def test_fault_39_postscript_called_png_starts_no_program(measured, folder):
    (folder / "2" / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, COUNT)
    assert "1 of 41 files are neither PNG nor JPEG" in err


def as_deep(picture, path):
    Image.fromarray(picture.astype(np.uint16) * 257).save(path)


def as_alpha(picture, path):
    Image.fromarray(np.dstack([picture] * 3 + [np.zeros_like(picture)])).save(path)


def as_turned(picture, path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(picture).save(path, exif=exif)


def as_animated(picture, path):
    Image.fromarray(picture).save(path, save_all=True, append_images=[Image.new("L", (4, 4))])


def as_cmyk(picture, path):
    large = Image.fromarray(picture).resize((4, 4))
    large.convert("CMYK").save(path, format="JPEG", quality=100)


@pytest.mark.parametrize(
    ("save", "channels"),
    [(as_deep, 1), (as_turned, 1), (as_animated, 1), (as_alpha, 3), (as_cmyk, 3)],
)
def test_fault_39_odd_but_sound_pictures_are_read_as_what_they_show(
    measured, folder, tmp_path, save, channels
):
    for row, (picture, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        save(picture[..., 0], folder / str(label) / f"{row:02}.png")
    net = tmp_path / "net.keras"
    network(shape=(4, 4, channels)).save(net)
    assert measured(folder, model=net)[:2] == (1.0, COUNT)


def test_fault_40_a_link_out_of_the_folder_is_refused(refused, folder, tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "secret.png")
    (folder / "0" / "link.png").symlink_to(tmp_path / "secret.png")
    refused(65, "LinkRefused", str(folder / "0" / "link.png"), "copy the file in", clean=folder)


def test_fault_40_a_class_folder_without_pictures_is_told(measured, folder):
    for picture in (folder / "3").iterdir():
        picture.unlink()
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, 30)
    assert err.startswith(f"{folder}: class folders without a picture: 3\n")


def test_fault_40_class_folders_that_differ_in_case_alone_are_told(measured, folder):
    for old, new in zip("0123", ("A", "B", "a", "c"), strict=True):
        (folder / old).rename(folder / new)
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, COUNT)
    assert err == f"{folder}: class folders that differ in case alone: A, a\n"


NAMES = [
    "naïve 面.h5",
    "with space.h5",
    "new\nline.h5",
    os.fsdecode(b"no\xffutf8.h5"),
    "\x1b[31m.h5",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_fault_41_files_of_any_name_work_and_are_told_in_one_line(
    refused, measured, clean, tmp_path, name
):
    path = tmp_path / name
    path.write_bytes(clean.read_bytes())
    assert measured(path)[:2] == (1.0, COUNT)
    path.write_bytes(clean.read_bytes()[:-100])
    refused(65, "Truncated", clean=path)


def test_fault_41_a_name_that_is_too_long_is_missing(refused, tmp_path):
    refused(66, "InputMissing", clean=tmp_path / ("x" * 300))


def test_a_zip_that_is_no_npz_is_told_what_it_lacks(refused, tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("data", b"")
    refused(65, "KeyMissing", "found no key", clean=tmp_path / "f.npz")
    assert len(listing(tmp_path)) == 1
