"""Keep perturbed images within the values that pixels have."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def within(images: Any, pixels: tuple[float, float]) -> Any:
    """Return images (n, H, W, C) clipped to the darkest and the lightest value.

    The gradient passes as if nothing was clipped: a perturbation that has left the range could
    not find back else.
    """
    return images + tf.stop_gradient(tf.clip_by_value(images, *pixels) - images)
