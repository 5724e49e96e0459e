"""Start TensorFlow so that the same run comes to the same result for everybody, and quietly."""

from __future__ import annotations

import logging
import os
import warnings

from badrepair.errors import OptionError
from badrepair.muting import stderr_off


def start_tensorflow() -> None:
    """Import TensorFlow without its log lines, which say nothing to our users.

    Some come from C++ before any setting is read, so that stderr is turned off meanwhile. What
    the user's keras.json says of number types stays unread: the same run is to come to the same
    result for everybody, with a home or without.

    Raises:
        OptionError: LegacyKeras: the environment asks for Keras 2, which runs code from files.
    """
    _require_new_keras()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A graphics card may be shared: take what is needed, not all of it.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["KERAS_HOME"] = os.devnull  # a folder in which there never is anything
    for name in ("tensorflow", "absl", "h5py"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"keras\..*")
    with stderr_off():
        import keras

        keras.ops.zeros(1)  # the first operation starts the runtime, which logs too


def _require_new_keras() -> None:
    asked = os.environ.get("TF_USE_LEGACY_KERAS", "")
    if asked.lower() in {"1", "true"}:
        problem = f"expected nothing or 0, found {asked}: Keras 2 runs code that model files hold"
        raise OptionError("LegacyKeras", "TF_USE_LEGACY_KERAS", problem, "unset it")
