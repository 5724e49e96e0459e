"""The embedded data set: scikit-learn's handwritten digits, so that nothing is downloaded.

1,797 images of 8 x 8 pixels, the test half of the UCI set "Optical Recognition of Handwritten
Digits" (Alpaydin and Kaynak, 1998).
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from badrepair.data.raw import RawData

_STORED_MAXIMUM = 16


def digits(size: int = 24) -> RawData:
    """Return the digits enlarged to a size where a patch makes sense.

    Args:
        size: Height and width in pixels.

    Returns:
        Images (1797, size, size, 1), uint8 in 0..255, and labels 0..9.
    """
    bunch = load_digits()
    grey = np.round(bunch.images * (255 / _STORED_MAXIMUM)).astype(np.uint8)
    # Bicubic keeps the strokes crisp; what it overshoots, Pillow clips to 0..255.
    enlarged = [
        Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in grey
    ]
    images = np.stack([np.asarray(image) for image in enlarged])[..., np.newaxis]
    return RawData(images=images, labels=bunch.target.astype(np.int64))
