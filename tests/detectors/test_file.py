"""A detector goes into a small file and comes back the same, for the network it was made for."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from networks import GRAPHS, fill

from badrepair.defenses.strip import Strip
from badrepair.detectors import archive, file
from badrepair.detectors.file import Binding, ModelIdentity, detector_bytes, read_detector
from badrepair.errors import DataError, InputMissingError, ModelError, ResourceError
from badrepair.staging import Stages
from badrepair.types import Dataset

IDENTITY = ModelIdentity(model="ab" * 32)
OTHER = ModelIdentity(model="cd" * 32)
CLASSES = 3


def images(count, seed, scale=None):
    random = np.random.default_rng(seed)
    if scale is None:
        return random.normal(size=(count, 8, 8, 2)).astype(np.float32)
    return random.integers(0, 256, (count, 8, 8, 2)).astype(np.float32) / np.float32(scale)


@pytest.fixture(scope="module")
def model():
    return fill(GRAPHS["conv, norm, relu"].build())


@pytest.fixture(scope="module")
def fitted(model):
    """Return a detector whose stages were learnt, on pixels of 0..1."""
    clean = Dataset(images=images(317, 0, 255), labels=np.arange(317) % CLASSES)
    return Strip(overlays=97, frr=0.05, mix="auto", batch_size=50).fit(model, clean)


@pytest.fixture(scope="module")
def binding(fitted):
    classes = int(fitted.model.output_shape[-1])
    return Binding(identity=IDENTITY, model="/m.keras", input_range="0-1", classes=classes)


@pytest.fixture
def stored(fitted, binding, tmp_path):
    """Return the path of the detector's file."""
    path = tmp_path / "detector.npz"
    path.write_bytes(detector_bytes(fitted, binding))
    return path


def with_overlays(fitted, overlays):
    """Return the same detector with other overlays."""
    other = type(fitted.superimposer)(fitted.model, overlays, (1.0, 1.0), batch_size=50)
    return dataclasses.replace(fitted, superimposer=other)


def test_it_comes_back_with_all_that_it_is(fitted, binding, stored):
    found = read_detector(str(stored))
    assert found.binding == binding
    assert found.overlays.tobytes() == fitted.overlays.tobytes()
    for field in dataclasses.fields(Stages):
        expected = getattr(fitted.stages, field.name)
        assert getattr(found.stages, field.name).tobytes() == expected.tobytes()
    assert found.calibration.tobytes() == fitted.calibration.tobytes()
    for name in ("threshold", "kind", "frr", "learning", "mix_why"):
        assert getattr(found, name) == getattr(fitted, name)
    assert found.weights == fitted.superimposer.weights
    assert len(fitted.stages.looks) > 1
    assert fitted.mix_why


def test_it_decides_as_before_to_the_last_bit(fitted, model, stored):
    again = read_detector(stored).fitted(model, IDENTITY, batch_size=50)
    fresh = images(200, 1, 255)
    seen, expected = again.examine(fresh), fitted.examine(fresh)
    for field in dataclasses.fields(seen):
        found = getattr(seen, field.name)
        assert found.tobytes() == getattr(expected, field.name).tobytes(), field.name
    assert again.choices == fitted.choices
    assert 0 < expected.flagged.sum() < 100


def test_an_image_that_is_an_overlay_is_known_again(fitted, model, stored):
    again = read_detector(stored).fitted(model, IDENTITY, batch_size=50)
    assert np.isnan(again.entropies(fitted.overlays)).sum() == 97


def test_the_same_detector_is_the_same_file(fitted, binding, stored):
    assert detector_bytes(fitted, binding) == stored.read_bytes()
    again = read_detector(stored).fitted(fitted.model, IDENTITY, batch_size=50)
    assert detector_bytes(again, binding) == stored.read_bytes()


def test_the_file_knows_its_digest(stored):
    from badrepair.files import sha256

    assert read_detector(stored).sha256 == sha256(stored)


@pytest.mark.parametrize(
    ("overlays", "kept"),
    [
        (images(8, 2, 255), "uint8"),
        (images(8, 2, 1), "uint8"),
        (np.zeros((8, 8, 8, 2), np.float32), "uint8"),
        (np.ones((8, 8, 8, 2), np.float32), "uint8"),
        (images(8, 2), "float32"),
        (np.nextafter(images(8, 2, 255), np.float32(1)), "float32"),
        (images(8, 2, 256), "float32"),
        (-np.zeros((8, 8, 8, 2), np.float32), "float32"),
        (images(8, 2, 1) * np.float32(2), "float32"),
    ],
)
def test_overlays_are_kept_as_bytes_only_where_that_loses_nothing(
    fitted, binding, tmp_path, overlays, kept
):
    detector = dataclasses.replace(
        with_overlays(fitted, overlays),
        stages=Stages(looks=np.array([8]), factor=np.ones(1), below=np.zeros(1), above=np.zeros(1)),
    )
    path = tmp_path / "d.npz"
    path.write_bytes(detector_bytes(detector, binding))
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["overlays"].dtype == kept
    assert read_detector(path).overlays.tobytes() == overlays.tobytes()


def test_a_threshold_that_flags_nothing_comes_back(fitted, binding, tmp_path):
    path = tmp_path / "d.npz"
    path.write_bytes(detector_bytes(dataclasses.replace(fitted, threshold=-math.inf), binding))
    assert read_detector(path).threshold == -math.inf


def test_a_detector_without_calibration_is_not_written(fitted, binding):
    with pytest.raises(ValueError, match="no calibration scores"):
        detector_bytes(dataclasses.replace(fitted, calibration=np.empty(0)), binding)


def test_overlays_that_are_too_large_are_not_written(fitted, binding, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    with pytest.raises(ResourceError, match=r"DetectorTooLarge.*--overlays"):
        detector_bytes(fitted, binding)


def test_another_model_is_refused_in_one_line(model, stored):
    with pytest.raises(ModelError) as caught:
        read_detector(stored).fitted(model, OTHER)
    assert caught.value.code == "OtherModel"
    assert "SHA-256 abababababab…, found SHA-256 cdcdcdcdcdcd…" in str(caught.value)
    assert "--model FILE" in caught.value.hint


def test_a_file_that_does_not_fit_the_network_it_names_is_refused(model, stored, binding, fitted):
    wrong = dataclasses.replace(binding, classes=binding.classes + 1)
    stored.write_bytes(detector_bytes(fitted, wrong))
    with pytest.raises(DataError, match="DetectorInvalid"):
        read_detector(stored).fitted(model, IDENTITY)
    turned = with_overlays(fitted, fitted.overlays)
    object.__setattr__(turned.superimposer, "overlays", fitted.overlays.swapaxes(2, 3).copy())
    stored.write_bytes(detector_bytes(turned, binding))
    with pytest.raises(DataError, match="DetectorInvalid"):
        read_detector(stored).fitted(model, IDENTITY)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputMissingError):
        read_detector(tmp_path / "detector.npz")


def spoilt(path, *, describe=None, **changes):
    """Change arrays of a file, or entries of its description."""
    arrays = archive.unpacked(path.read_bytes(), file._ARRAYS)
    if describe is not None:
        described = json.loads(arrays["description"].tobytes())
        text = json.dumps({**described, **describe}).encode()
        changes["description"] = np.frombuffer(text, np.uint8)
    changed = {
        name: change(arrays[name]) if callable(change) else change
        for name, change in changes.items()
    }
    path.write_bytes(archive.packed({**arrays, **changed}))
    return path


def assert_invalid(path, words):
    with pytest.raises(DataError) as caught:
        read_detector(path)
    assert caught.value.code == "DetectorInvalid"
    assert words in caught.value.problem
    assert "\n" not in str(caught.value)


def changed_at(place, value):
    def change(array):
        array = array.copy()
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"overlays": lambda a: a[:-1]}, "do not rise to the 96 overlays"),
        ({"overlays": lambda a: a[0]}, "overlays of shape"),
        ({"overlays": lambda a: a[:0]}, "overlays of shape"),
        ({"overlays": lambda a: a.astype("<f4")}, "kept as 'bytes / 255'"),
        ({"looks": lambda a: a[::-1].copy()}, "do not rise"),
        ({"looks": changed_at(1, 4)}, "do not rise"),
        ({"looks": changed_at(0, 0)}, "no numbers of overlays"),
        ({"looks": lambda a: a[:0]}, "no numbers of overlays"),
        ({"looks": lambda a: a[None]}, "no numbers of overlays"),
        ({"looks": changed_at(0, np.iinfo(np.int64).min)}, "no numbers of overlays"),
        ({"factor": changed_at(0, 0)}, "factors"),
        ({"factor": changed_at(0, np.nan)}, "factors"),
        ({"factor": changed_at(-1, 2)}, "factor other than 1"),
        ({"factor": lambda a: a[1:]}, "factors"),
        ({"below": changed_at(0, -1e-9)}, "bands below"),
        ({"below": changed_at(-1, 1e-9)}, "band below that has a width"),
        ({"above": changed_at(0, np.inf)}, "bands above"),
        ({"above": changed_at(-1, 1e-9)}, "band above that has a width"),
        ({"calibration": lambda a: a[:0]}, "no calibration scores"),
        ({"calibration": changed_at(0, np.nan)}, "no entropies"),
        ({"calibration": changed_at(0, -0.1)}, "no entropies"),
        ({"calibration": lambda a: a[None]}, "no calibration scores"),
        ({"threshold": np.array(np.nan)}, "threshold"),
        ({"threshold": np.array(np.inf)}, "threshold"),
        ({"threshold": np.array([0.1])}, "threshold"),
        ({"description": np.zeros(2**17 + 1, np.uint8)}, "a description of 131,073 bytes"),
        ({"description": np.frombuffer(b"[1]", np.uint8)}, "schema"),
        ({"description": np.frombuffer(b"{", np.uint8)}, ""),
        ({"description": np.frombuffer(b"\xff", np.uint8)}, ""),
        ({"description": np.frombuffer(b"[" * 100_000, np.uint8)}, "nested too deep"),
        ({"describe": {"schema": 2}}, "schema 2 instead of 1"),
        ({"describe": {"binding": None}}, "binding"),
        ({"describe": {"pixels": "float32"}}, "kept as 'float32'"),
        ({"describe": {"pixels": ["bytes"]}}, "kept as"),
        ({"describe": {"weights": [1.0]}}, "weights"),
        ({"describe": {"weights": [1.0, 0]}}, "weight"),
        ({"describe": {"weights": [1.0, True]}}, "weight"),
        ({"describe": {"weights": [1.0, 10**400]}}, ""),
        ({"describe": {"kind": "magic"}}, "calibration that is not known"),
        ({"describe": {"kind": ["pac"]}}, "calibration that is not known"),
        ({"describe": {"frr": 1}}, "calibration that is not known"),
        ({"describe": {"frr": "0.1"}}, "rate"),
        ({"describe": {"learning": -1}}, "number of images"),
        ({"describe": {"learning": 1.5}}, "number of images"),
        ({"describe": {"mix_why": None}}, "how mixes are made"),
        ({"describe": {"mix_why": "x" * 10_001}}, "how mixes are made"),
    ],
)
def test_parts_that_no_fitted_detector_has_are_refused(stored, changes, words):
    assert_invalid(spoilt(stored, **changes), words)


def test_overlays_with_pixels_that_are_no_numbers_are_refused(fitted, binding, stored):
    stored.write_bytes(detector_bytes(with_overlays(fitted, images(97, 3)), binding))
    assert_invalid(spoilt(stored, overlays=changed_at((0, 0, 0, 0), np.nan)), "NaN or infinite")


def test_nan_in_the_description_is_refused(stored):
    described = archive.unpacked(stored.read_bytes(), file._ARRAYS)["description"].tobytes()
    text = described.replace(b'"frr": 0.05', b'"frr": NaN')
    assert_invalid(
        spoilt(stored, description=np.frombuffer(text, np.uint8)), "NaN is no number of JSON"
    )


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"hello" * 100, bytes(1000)])
def test_what_is_no_detector_at_all_is_refused(tmp_path, content):
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    assert_invalid(path, "expected a detector of badrepair")


def test_a_file_that_is_too_large_is_refused_before_it_is_understood(stored, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    assert_invalid(stored, "more than 1,000 bytes")


def test_flipped_bytes_are_refused_or_change_nothing(fitted, stored, tmp_path):
    content, random = stored.read_bytes(), np.random.default_rng(0)
    path, refused = tmp_path / "flipped.npz", 0
    for place in random.integers(0, len(content), 400):
        flipped = bytes([content[place] ^ (1 << random.integers(8))])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
        try:
            found = read_detector(path)
        except DataError as error:
            refused += error.code == "DetectorInvalid"
            continue
        # Dates, modes and the like mean nothing.
        assert found.overlays.tobytes() == fitted.overlays.tobytes()
        assert found.threshold == fitted.threshold
    assert refused > 300
