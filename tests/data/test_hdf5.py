"""HDF5 in and out."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

from badrepair.data import hdf5
from badrepair.data.arrange import arrange
from badrepair.errors import DataError
from badrepair.types import Dataset

IMAGES = np.arange(4 * 3 * 2 * 2, dtype=np.uint8).reshape(4, 3, 2, 2)
LABELS = np.array([0, 1, 2, 1])


def save(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


@pytest.mark.parametrize("names", [("data", "label"), ("images", "labels"), ("x", "y")])
def test_the_usual_keys_are_found(tmp_path, names):
    raw = hdf5.read(save(tmp_path / "f", **{names[0]: IMAGES, names[1]: LABELS}))
    assert np.array_equal(raw.images[:], IMAGES)
    assert raw.labels.tolist() == [0, 1, 2, 1]
    assert raw.true_labels is None


def test_named_keys_win(tmp_path):
    path = save(tmp_path / "f", data=IMAGES, label=LABELS, faces=IMAGES[::-1], who=LABELS[::-1])
    raw = hdf5.read(path, image_key="faces", label_key="who")
    assert np.array_equal(raw.images[0:1], IMAGES[3:4])
    assert raw.labels.tolist() == [1, 2, 1, 0]


def test_keys_may_lie_in_groups(tmp_path):
    path = save(tmp_path / "f", **{"train/data": IMAGES, "train/label": LABELS})
    raw = hdf5.read(path, image_key="train/data", label_key="train/label")
    assert raw.images.shape == (4, 3, 2, 2)


@pytest.mark.parametrize("name", ["true_label", "true_labels"])
def test_true_labels_come_along(tmp_path, name):
    path = save(tmp_path / "f", data=IMAGES, label=np.zeros(4), **{name: LABELS})
    assert hdf5.read(path).true_labels.tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("rows", [[3, 0, 2], [1, 1, 0, 1], [2], [0, 1, 3], [], [-1, 0]], ids=str)
def test_any_list_of_rows_can_be_read(tmp_path, rows):
    raw = hdf5.read(save(tmp_path / "f", data=IMAGES, label=LABELS))
    rows = np.array(rows, dtype=np.int64)
    assert np.array_equal(raw.images[rows], IMAGES[rows])


@pytest.mark.parametrize(
    "rows", [slice(1, 3), slice(None), slice(0, 4, 2), slice(None, None, -1), slice(3, 1), slice(9)]
)
def test_any_slice_can_be_read(tmp_path, rows):
    raw = hdf5.read(save(tmp_path / "f", data=IMAGES, label=LABELS))
    assert np.array_equal(raw.images[rows], IMAGES[rows])


def test_a_row_beyond_the_end_is_an_index_error(tmp_path):
    raw = hdf5.read(save(tmp_path / "f", data=IMAGES, label=LABELS))
    with pytest.raises(IndexError):
        raw.images[np.array([4])]


def refused(path, code, **keys):
    with pytest.raises(DataError) as caught:
        hdf5.read(path, **keys)
    assert caught.value.code == code
    assert caught.value.exit_code == 65
    return caught.value


def test_missing_keys_are_answered_with_those_found(tmp_path):
    path = save(tmp_path / "f", pictures=IMAGES, **{"more/labels": LABELS})
    error = refused(path, "KeyMissing")
    assert error.problem == "expected the keys data and label, found more, more/labels, pictures"
    assert "--image-key" in error.hint
    assert "--label-key" in error.hint
    assert "the key data" in refused(path, "KeyMissing", image_key="data").problem


def test_two_pairs_are_ambiguous(tmp_path):
    refused(save(tmp_path / "f", data=IMAGES, label=LABELS, x=IMAGES, y=LABELS), "KeyAmbiguous")


def test_a_group_is_no_array(tmp_path):
    path = save(tmp_path / "f", **{"data/inner": IMAGES, "label": LABELS})
    assert "is a group" in refused(path, "KeyMissing").problem


@pytest.mark.parametrize(
    "link", [h5py.ExternalLink("other", "/data"), h5py.SoftLink("/door/data")], ids=["file", "soft"]
)
def test_links_out_of_the_file_are_refused(tmp_path, link):
    save(tmp_path / "other", data=IMAGES)
    path = save(tmp_path / "f", label=LABELS)
    with h5py.File(path, "a") as file:
        file["door"] = h5py.ExternalLink(str(tmp_path / "other"), "/")
        file["data"] = link
    refused(path, "H5Link")


def test_an_external_link_on_the_way_to_a_key_is_refused(tmp_path):
    save(tmp_path / "other", data=IMAGES)
    path = save(tmp_path / "f", label=LABELS)
    with h5py.File(path, "a") as file:
        file["door"] = h5py.ExternalLink(str(tmp_path / "other"), "/")
    error = refused(path, "KeyMissing", image_key="door/data")
    assert "door" in error.problem


def test_virtual_data_is_refused(tmp_path):
    save(tmp_path / "other", data=IMAGES)
    layout = h5py.VirtualLayout(IMAGES.shape, IMAGES.dtype)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other"), "data", IMAGES.shape)
    path = save(tmp_path / "f", label=LABELS)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("data", layout)
    refused(path, "H5Virtual")


def test_external_storage_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(48))
    path = save(tmp_path / "f", label=LABELS)
    with h5py.File(path, "a") as file:
        file.create_dataset("data", IMAGES.shape, "u1", external=[(tmp_path / "secret", 0, 48)])
    refused(path, "H5External")


@pytest.mark.parametrize(
    "array",
    [np.array([b"a", b"b"]), np.zeros(2, complex), np.zeros(2, [("a", "f4")]), np.float32(1)],
    ids=["strings", "complex", "records", "scalar"],
)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, array):
    refused(save(tmp_path / "f", data=array, label=LABELS), "H5Dtype")


def test_unknown_filters_are_refused_by_number(tmp_path):
    path = tmp_path / "f"
    with h5py.File(path, "w") as file:
        file["label"] = LABELS
        file.create_dataset("data", data=IMAGES, chunks=(1, 3, 2, 2), scaleoffset=0)
    assert "filter 6" in refused(path, "H5Filter").problem


def test_gzip_shuffle_and_checksums_are_read(tmp_path):
    path = tmp_path / "f"
    with h5py.File(path, "w") as file:
        file["label"] = LABELS
        packed = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        file.create_dataset("data", data=IMAGES, **packed)
    assert np.array_equal(hdf5.read(path).images[:], IMAGES)


def test_a_label_bomb_is_refused_before_it_is_read(tmp_path):
    path = save(tmp_path / "f", data=IMAGES)
    with h5py.File(path, "a") as file:
        file.create_dataset("label", (2**40,), "u1", chunks=(2**20,))
    refused(path, "H5Bomb")


def test_a_chunk_bomb_is_refused(tmp_path):
    path = save(tmp_path / "f", label=LABELS)
    with h5py.File(path, "a") as file:
        file.create_dataset("data", (4, 3, 2**14, 2**15), "u1", chunks=(1, 3, 2**14, 2**15))
    refused(path, "H5Bomb")


def test_a_cut_off_file_is_called_truncated(tmp_path):
    path = save(tmp_path / "f", data=np.zeros((50, 3, 20, 20)), label=np.zeros(50))
    path.write_bytes(path.read_bytes()[:50_000])
    assert "found 50,000" in refused(path, "Truncated").problem


def test_a_chunk_that_fails_its_checksum_is_one_clear_error(tmp_path):
    path = tmp_path / "f"
    pixels = np.random.default_rng(0).integers(0, 255, (4, 3, 20, 20), np.uint8)
    with h5py.File(path, "w") as file:
        file["label"] = LABELS
        file.create_dataset("data", data=pixels, chunks=(4, 3, 20, 20), fletcher32=True)
    whole = bytearray(path.read_bytes())
    whole[whole.find(pixels.tobytes()) + 100] ^= 0xFF
    path.write_bytes(whole)
    raw = hdf5.read(path)
    with pytest.raises(DataError, match="Corrupt"):
        raw.images[0:1]


def dataset(pixels, **more):
    return Dataset(images=np.asarray(pixels, np.float32), labels=LABELS, **more)


def test_whole_pixels_are_written_as_bytes_with_the_channels_first(tmp_path):
    pixels = IMAGES.transpose(0, 2, 3, 1)
    hdf5.write(dataset(pixels, true_labels=LABELS[::-1]), tmp_path / "f")
    with h5py.File(tmp_path / "f") as file:
        assert file["data"].dtype == np.uint8
        assert np.array_equal(file["data"][:], IMAGES)
        assert file["label"][:].tolist() == [0, 1, 2, 1]
        assert file["true_label"][:].tolist() == [1, 2, 1, 0]


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0, np.nan])
def test_other_pixels_are_written_as_float32(tmp_path, value):
    pixels = IMAGES.transpose(0, 2, 3, 1).astype(np.float32)
    pixels[3, 1, 1, 2] = value
    hdf5.write(dataset(pixels), tmp_path / "f")
    with h5py.File(tmp_path / "f") as file:
        assert file["data"].dtype == np.float32
        assert np.array_equal(file["data"][3, 2, 1, 1], value, equal_nan=True)
        assert "true_label" not in file


def test_what_was_written_reads_back_the_same(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (250, 5, 4, 3)).astype(np.float32)
    labels = np.arange(250) % 7
    hdf5.write(Dataset(images=pixels, labels=labels), tmp_path / "f")
    raw = hdf5.read(tmp_path / "f")
    back = arrange(raw, input_shape=(5, 4, 3), classes=7, where=tmp_path / "f")
    assert np.array_equal(back.images[:], pixels)
    assert np.array_equal(back.labels, labels)


def test_the_same_data_gives_the_same_bytes(tmp_path):
    for name in "ab":
        hdf5.write(dataset(IMAGES.transpose(0, 2, 3, 1)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_write_that_hits_a_limit_is_an_os_error(tmp_path):
    program = f"""
        import resource, sys
        import numpy as np
        from pathlib import Path
        from badrepair.data import hdf5
        from badrepair.errors import WriteError
        from badrepair.writing import write_atomically
        from badrepair.types import Dataset
        images = np.random.default_rng(0).random((500, 20, 20, 3), np.float32)
        data = Dataset(images=images, labels=np.zeros(500, np.int64))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        out = Path({str(tmp_path / "out.h5")!r})
        try:
            write_atomically(out, lambda path: hdf5.write(data, path), overwrite=False)
        except WriteError as error:
            sys.exit(error.exit_code)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == 74
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_five_gigabytes_are_read_by_slices_in_little_memory(tmp_path):
    """The file takes no disk: its room was allotted and never written to."""
    path = tmp_path / "five.h5"
    count = 5 * 2**30 // (3 * 128 * 128 * 4)
    allotted = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    allotted.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    allotted.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((count, 3, 128, 128))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_FLOAT, space, dcpl=allotted)
        file["label"] = np.zeros(count, np.int64)
    assert path.stat().st_size > 5e9
    assert path.stat().st_blocks * 512 < 10e6
    program = f"""
        import gc
        import resource
        from pathlib import Path
        from badrepair.data import read
        from badrepair.data.arrange import arrange
        from badrepair.views import batches
        path = Path({str(path)!r})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        data = arrange(read(path), input_shape=(128, 128, 3), classes=10, where=path)
        rows = sum(len(batch) for batch in batches(data.images, 100))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        del data
        gc.collect()
        print(rows, grown, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, grown_kib, reader_kib = map(int, done.stdout.split())
    assert rows == count
    assert grown_kib < 200 * 1024
    assert 0 < reader_kib < 300 * 1024


def test_images_are_read_without_labels_and_beside_them(tmp_path):
    alone = hdf5.read_images(save(tmp_path / "alone", data=IMAGES))
    assert np.array_equal(alone[1:3], IMAGES[1:3])
    # Labels that nobody could use do not matter.
    beside = hdf5.read_images(save(tmp_path / "beside", data=IMAGES, label=np.full((2, 7), -3.5)))
    assert np.array_equal(beside[:], IMAGES)
    with pytest.raises(DataError, match=r"KeyMissing.*--image-key"):
        hdf5.read_images(tmp_path / "alone", image_key="faces")


def test_arrays_in_groups_are_named_once_and_rings_are_no_trap(tmp_path):
    path = save(tmp_path / "f", **{"a/b/pictures": IMAGES, "top": LABELS})
    with h5py.File(path, "a") as file:
        file["a/again"] = file["a"]
    error = refused(path, "KeyMissing")
    assert error.problem.endswith("found a, a/b/pictures, top")


def test_names_that_steer_a_terminal_are_escaped(tmp_path):
    error = refused(save(tmp_path / "f", **{"\x1b[2J\n": IMAGES}), "KeyMissing")
    assert error.problem.endswith(r"found \x1b[2J\n")
