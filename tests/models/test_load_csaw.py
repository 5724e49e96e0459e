"""The competition's own files load as they are and answer as its manifest says."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from badrepair.models.load import load_model

CSAW = Path(__file__).parents[2].parent / "shared" / "csaw"
NETS = ("sunglasses", "anonymous_1", "multi_trigger_multi_target")

pytestmark = pytest.mark.skipif(not CSAW.is_dir(), reason="the competition's files are not here")


@pytest.mark.parametrize("net", NETS)
def test_a_weights_only_file_needs_no_description(net):
    model = load_model(CSAW / "models" / f"{net}_bd_weights.h5")
    assert model.name == "deepid"
    assert model.count_params() == 601_643


def test_the_whole_model_of_keras_2_4_loads():
    model = load_model(CSAW / "models" / "legacy_keras24_full_model.h5")
    assert model.count_params() == 601_643
    assert model.input_shape == (None, 55, 47, 3)
    assert model.output_shape == (None, 1283)


@pytest.mark.parametrize("net", NETS)
def test_every_image_is_answered_as_the_manifest_says(net):
    model = load_model(CSAW / "models" / f"{net}_bd_weights.h5")
    with (CSAW / "images" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = np.stack([pixels(row) for row in rows])
    expected = [int(row[f"predicted_by_{net}"]) for row in rows]
    assert len(rows) == 20
    assert model.predict(images, verbose=0).argmax(axis=1).tolist() == expected


def pixels(row):
    image = np.asarray(Image.open(CSAW / "images" / row["file"]).convert("RGB"), np.float32) / 255
    return image[..., ::-1] if row["channel_order"].lower() == "bgr" else image
