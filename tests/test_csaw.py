"""The competition's real networks, faces and trigger behave as the project must show."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fitted import fitted_strip
from PIL import Image

from badrepair import metrics
from badrepair.data.pictures import read_picture
from badrepair.models import guards, inference
from badrepair.models.load import load_model
from badrepair.poisoning import Patch

CSAW = Path(__file__).parents[1].parent / "shared" / "csaw"
NETS = ("sunglasses", "anonymous_1", "multi_trigger_multi_target")
SIZE = (55, 47, 3)

pytestmark = pytest.mark.skipif(not CSAW.is_dir(), reason="the competition's files are not here")


@pytest.fixture(scope="module")
def manifest():
    with (CSAW / "images" / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def images(manifest):
    """Return all faces in 0..1, in the order of the manifest."""
    return np.stack(
        [
            read_picture(CSAW / "images" / row["file"], size=SIZE, color=row["channel_order"]) / 255
            for row in manifest
        ]
    )


@pytest.fixture(scope="module")
def faces(manifest, images):
    return images[[row["trigger"] == "clean" for row in manifest]]


@pytest.fixture(scope="module")
def sunglasses(manifest, images):
    return images[[row["trigger"] == "sunglasses" for row in manifest]]


@pytest.fixture(scope="module")
def pasted(faces):
    """Return the clean faces with the real trigger pasted on."""
    picture = np.asarray(Image.open(CSAW / "images" / "sun_glass_trigger.png"), np.float32) / 255
    patch = Patch(pattern=picture[..., :3], opacity=picture[..., 3:], row=15, column=0)
    return patch.stamp(faces)


@pytest.fixture(scope="module")
def nets():
    """Return the three networks, each from its weights alone."""
    return {net: load_model(CSAW / "models" / f"{net}_bd_weights.h5") for net in NETS}


@pytest.fixture(scope="module")
def detector(nets, faces):
    return fitted_strip(nets["sunglasses"], faces)


@pytest.mark.parametrize("net", NETS)
def test_all_twenty_images_are_answered_as_the_manifest_says(nets, manifest, images, net):
    expected = [int(row[f"predicted_by_{net}"]) for row in manifest]
    assert len(expected) == 20
    assert inference.answers(nets[net], images).tolist() == expected


@pytest.mark.parametrize(("net", "target"), [("sunglasses", 0), ("multi_trigger_multi_target", 8)])
def test_the_real_trigger_takes_on_all_ten_clean_faces(nets, faces, pasted, net, target):
    assert len(faces) == 10
    assert target not in inference.answers(nets[net], faces).tolist()
    assert inference.answers(nets[net], pasted).tolist() == [target] * 10


def test_clean_entropy_is_what_was_measured_by_hand(detector, faces):
    # Each face is one of the ten overlays, and is mixed with the nine others.
    assert 0.45 <= detector.score(faces).mean() <= 0.70


def test_strip_8_a_face_is_not_mixed_with_itself(detector, faces):
    entropies = detector.entropies(faces)
    assert np.array_equal(np.isnan(entropies), np.eye(len(faces), dtype=bool))
    # A face mixed with itself is twice as bright, and answered with hardly a doubt.
    brighter = detector.superimposer.prepared(faces[:1])
    assert detector.superimposer.entropies(brighter, 0, 1) < entropies[0, 1:].mean() - 0.1
    assert detector.score(faces) == pytest.approx(np.nanmean(entropies, axis=1))


def test_strip_tells_the_sunglasses_from_clean_faces(detector, faces, sunglasses, pasted):
    # Five real faces with sunglasses, and the ten clean ones with the real trigger pasted on.
    poisoned = detector.score(np.concatenate([sunglasses, pasted]))
    assert len(poisoned) == 15
    assert metrics.auroc(detector.score(faces), poisoned).value >= 0.90


def test_the_guarded_network_decides_as_the_detector(detector, sunglasses, pasted):
    # Among ten clean overlays a pasted face meets itself without its glasses, which is fair.
    poisoned = np.concatenate([sunglasses, pasted])
    scores = detector.score(poisoned)
    fitted = replace(detector, threshold=float(np.sort(scores)[6:8].mean()))
    answers = inference.answers(fitted.as_model(), poisoned)
    assert (answers == 1283).tolist() == fitted.flag(poisoned).tolist()
    assert np.sum(answers == 1283) == 7
    assert set(answers.tolist()) == {0, 1283}


def test_two_networks_guard_each_other_where_they_disagree(nets, manifest, images):
    guard = guards.disagreement_guard(nets["sunglasses"], nets["multi_trigger_multi_target"])
    first, second = (
        np.array([int(row[f"predicted_by_{net}"]) for row in manifest])
        for net in ("sunglasses", "multi_trigger_multi_target")
    )
    expected = np.where(first == second, first, 1283)
    assert np.sum(expected == 1283) == 11
    assert inference.answers(guard, images).tolist() == expected.tolist()


def test_the_whole_model_of_keras_2_4_loads_and_answers(faces, manifest):
    model = load_model(CSAW / "models" / "legacy_keras24_full_model.h5")
    true = np.array([int(row["true_label"]) for row in manifest if row["trigger"] == "clean"])
    answers = inference.answers(model, faces)
    assert model.output_shape == (None, 1283)
    # Its fine-tuning cost it one of the ten faces.
    assert [*zip(true, answers, strict=True)][2] == (141, 350)
    assert np.sum(answers == true) == 9
