"""Make a sound detector, record, partial file and checkpoint, each small and by hand."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
from PIL import Image

KEY = "0123456789abcdef" * 4
DESCRIPTION = {
    "schema": 1,
    "binding": {
        "identity": {"model": "ab" * 32, "weights": "", "arch": ""},
        "model": "/m.keras",
        "weights": "",
        "arch": "",
        "input_range": "0-1",
        "classes": 4,
        "color": "rgb",
    },
    "pixels": "bytes",
    "weights": [1.0, 1.0],
    "kind": "conformal",
    "frr": 0.01,
    "learning": 12,
    "mix_why": "by hand",
}


def detector_arrays(**changes):
    """Return the arrays of a detector of six overlays."""
    from badrepair.calibration import KINDS

    description = {**DESCRIPTION, "kind": KINDS[0]}
    arrays = {
        "description": np.frombuffer(json.dumps(description).encode(), np.uint8),
        "overlays": np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1),
        "looks": np.array([4, 6]),
        "factor": np.array([1.1, 1.0]),
        "below": np.array([0.2, 0.0]),
        "above": np.array([0.2, 0.0]),
        "calibration": np.linspace(0.1, 0.9, 9),
        "threshold": np.float64(0.05),
    }
    return arrays | changes


def described(**changes):
    """Return a detector whose description says something else."""
    from badrepair.calibration import KINDS

    content = json.dumps({**DESCRIPTION, "kind": KINDS[0], **changes})
    return detector_arrays(description=np.frombuffer(content.encode(), np.uint8))


def detector(**changes):
    """Return the content of a detector's file."""
    from badrepair.detectors.archive import packed

    return packed(detector_arrays(**changes))


def png(pixels):
    """Return a picture as it stands in a record."""
    content = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def record(**figures):
    """Return a record that holds figures of most kinds."""
    tile = png(np.arange(48).reshape(4, 4, 3))
    entropies = {
        "threshold": 0.2,
        "clean": [0.1, 0.5, 0.6, 0.9],
        "poisoned": {"patch": [0.0, 0.3]},
        "calibration": [0.2, 0.3, 0.8],
    }
    held = {
        "entropies": entropies,
        "samples": [{"set": "clean", "label": 1, "answer": 2, "png": tile}],
        "activations": {
            "layer": "conv_3",
            "clean": np.zeros((4, 2, 2)).tolist(),
            "order": [2, 0, 3, 1],
        },
    }
    return {
        "schema": 1,
        "curve": [{"pruned": 0, "accuracy": 1.0}, {"pruned": 1, "accuracy": 0.5}],
        "choices": {"level": 0, "layer": "conv_3", "max_drop": 0.04, "baseline_accuracy": 1.0},
        "figures": {**held, **figures},
    }


def rows():
    """Return three rows of an unfinished screening, of the run `KEY`."""
    head = {"badrepair": "screening", "schema": 1, "run": KEY}
    lines = [head, *([number, "", "clean", 1.5, 4, 0.5, 3, "", ""] for number in range(3))]
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def state():
    """Return the state of a fine-tuning run."""
    from badrepair.models.checkpoint import TuningState

    kernel = np.ones((2, 3), np.float32)
    return TuningState(
        accuracies=(0.5, 0.75), weights=[kernel], optimizer=[np.array(7)], best_weights=[kernel + 1]
    )
