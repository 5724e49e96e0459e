"""NumPy's .npz, without pickles."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from badrepair.data import npz
from badrepair.errors import DataError, ResourceError

IMAGES = np.arange(4 * 5 * 6 * 3, dtype=np.uint16).reshape(4, 5, 6, 3)
LABELS = np.array([0, 1, 2, 1])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("data", "label")])
def test_the_usual_keys_are_read_lazily_from_stored_and_packed_files(tmp_path, save, names):
    save(tmp_path / "f.npz", **{names[0]: IMAGES, names[1]: LABELS})
    raw = npz.read(tmp_path / "f.npz")
    assert not isinstance(raw.images, np.ndarray)
    assert raw.images.shape == (4, 5, 6, 3)
    assert np.array_equal(raw.images[1:3], IMAGES[1:3])
    assert np.array_equal(raw.images[np.array([3, 0, 3])], IMAGES[[3, 0, 3]])
    assert raw.labels.tolist() == [0, 1, 2, 1]


def test_the_images_outlive_the_file(tmp_path):
    np.savez(tmp_path / "f.npz", x=IMAGES, y=LABELS)
    raw = npz.read(tmp_path / "f.npz")
    (tmp_path / "f.npz").unlink()
    assert np.array_equal(raw.images[:], IMAGES)


def test_halves_must_be_asked_for(tmp_path):
    halves = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:2], "y_test": LABELS[:2]}
    np.savez(tmp_path / "f.npz", **halves)
    with pytest.raises(DataError, match=r"KeyMissing.*x_test, x_train, y_test, y_train"):
        npz.read(tmp_path / "f.npz")
    raw = npz.read(tmp_path / "f.npz", image_key="x_test")
    assert len(raw.images) == 2
    assert raw.labels.tolist() == [0, 1]


def test_true_labels_come_along(tmp_path):
    np.savez(tmp_path / "f.npz", x=IMAGES, y=np.zeros(4), true_labels=LABELS)
    assert npz.read(tmp_path / "f.npz").true_labels.tolist() == [0, 1, 2, 1]


def test_columns_first_order_is_read_too(tmp_path):
    np.savez(tmp_path / "f.npz", x=np.asfortranarray(IMAGES), y=LABELS)
    assert np.array_equal(npz.read(tmp_path / "f.npz").images[1:3], IMAGES[1:3])


@pytest.mark.parametrize("key", ["x", "y"])
def test_python_objects_are_refused_not_unpickled(tmp_path, key):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    arrays = {"x": IMAGES, "y": LABELS, key: np.array([Bomb()], dtype=object)}
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(DataError, match=f"PickleRefused.*{key} holds Python objects"):
        npz.read(tmp_path / "f.npz")


def header(shape):
    stream = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, fields)
    return stream.getvalue()


def test_a_header_that_declares_320_gigabytes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("x.npy", header((320_000, 1_000, 1_000)) + b"few")
        archive.writestr("y.npy", header((3,)) + b"few")
    with pytest.raises(DataError, match=r"DataBomb.*declares 320,000,000,000 bytes.*holds 3"):
        npz.read(tmp_path / "f.npz")


def packed(path, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", header((3,)) + b"few")


def test_what_unpacks_without_end_is_refused_before_its_header_is_read(tmp_path):
    length = 2**26
    packed(tmp_path / "f.npz", b"\x93NUMPY\2\0" + length.to_bytes(4, "little") + bytes(length))
    with pytest.raises(DataError, match=r"DataBomb.*unpack to 67,108,876"):
        npz.read(tmp_path / "f.npz")


def test_how_much_is_packed_is_not_believed_beyond_the_size_of_the_file(tmp_path):
    packed(tmp_path / "f.npz", header((2**26,)) + bytes(2**26))
    whole = bytearray((tmp_path / "f.npz").read_bytes())
    place = whole.index(b"PK\1\2") + 20
    whole[place : place + 4] = (2**26).to_bytes(4, "little")
    (tmp_path / "f.npz").write_bytes(whole)
    with pytest.raises(DataError, match="DataBomb"):
        npz.read(tmp_path / "f.npz")


def test_a_full_disk_is_noticed_before_unpacking(tmp_path, monkeypatch):
    np.savez(tmp_path / "f.npz", x=IMAGES, y=LABELS)
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(ResourceError, match=r"DiskFull.*TMPDIR"):
        npz.read(tmp_path / "f.npz")


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_cut_off_file_is_one_clear_error(tmp_path, kept):
    np.savez(tmp_path / "f.npz", x=IMAGES, y=LABELS)
    whole = (tmp_path / "f.npz").read_bytes()
    (tmp_path / "f.npz").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=r"Corrupt.*is the file complete\?"):
        npz.read(tmp_path / "f.npz")


def test_a_flipped_byte_is_noticed(tmp_path):
    np.savez(tmp_path / "f.npz", x=IMAGES, y=LABELS)
    whole = bytearray((tmp_path / "f.npz").read_bytes())
    whole[whole.find(IMAGES.tobytes()) + 50] ^= 1
    (tmp_path / "f.npz").write_bytes(whole)
    with pytest.raises(DataError, match=r"Corrupt.*CRC"):
        npz.read(tmp_path / "f.npz")


def test_a_zip_without_arrays_has_no_keys(tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(DataError, match="KeyMissing"):
        npz.read(tmp_path / "f.npz")


def test_a_single_value_is_no_array(tmp_path):
    np.savez(tmp_path / "f.npz", x=1.0, y=LABELS)
    with pytest.raises(DataError, match=r"ShapeMismatch.*single value"):
        npz.read(tmp_path / "f.npz")


def test_an_empty_array_is_read_as_such(tmp_path):
    np.savez(tmp_path / "f.npz", x=IMAGES[:0], y=LABELS[:0])
    assert npz.read(tmp_path / "f.npz").images[:].shape == (0, 5, 6, 3)


def test_images_are_read_without_labels_lazily(tmp_path):
    np.savez(tmp_path / "f.npz", IMAGES)
    images = npz.read_images(tmp_path / "f.npz")
    assert not isinstance(images, np.ndarray)
    assert np.array_equal(images[1:3], IMAGES[1:3])
    np.savez(tmp_path / "both.npz", a=IMAGES, b=IMAGES[::-1])
    assert np.array_equal(npz.read_images(tmp_path / "both.npz", image_key="b")[:], IMAGES[::-1])
    with pytest.raises(DataError, match="KeyAmbiguous"):
        npz.read_images(tmp_path / "both.npz")


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_member_twice_is_refused_whatever_it_is(tmp_path, name):
    np.savez(tmp_path / "f.npz", x=IMAGES, y=LABELS, z=LABELS)
    path = tmp_path / "f.npz"
    path.write_bytes(path.read_bytes().replace(b"z.npy", f"{name}.npy".encode()))
    with pytest.raises(DataError, match=rf"ZipUnsafe.*{name}\.npy stands in the archive twice"):
        npz.read(path)


def test_members_that_are_no_arrays_have_no_key(tmp_path):
    np.savez(tmp_path / "f.npz", y=LABELS)
    with zipfile.ZipFile(tmp_path / "f.npz", "a") as archive:
        archive.writestr("x", b"no array")
    with pytest.raises(DataError, match=r"KeyMissing.*found y"):
        npz.read(tmp_path / "f.npz")
