"""What tests of figures need: small pictures, and what a figure says."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


def png(*rows):
    """Return a grey picture of these rows as base64."""
    buffer = io.BytesIO()
    Image.fromarray(np.array(rows, dtype=np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def legend(figure):
    """Return the words of the legend, line by line."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line(figure, label):
    """Return the one line whose label starts so."""
    (axes,) = figure.axes
    (found,) = [drawn for drawn in axes.lines if str(drawn.get_label()).startswith(label)]
    return found
