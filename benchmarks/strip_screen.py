"""How many images a second `badrepair strip --screen` judges, and in how much memory.

    python benchmarks/strip_screen.py [--quick]

100,000 images of 28x28x1 in one HDF5 file: scikit-learn's digits, enlarged, shifted and noisy, one
in a hundred with the patch that the network was backdoored with. The detector with 100 overlays is
fitted before. The command runs in a process of its own, whose memory is looked at all the time.
The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from badrepair.attacks.badnets import Badnets
    from badrepair.poisoning import Trigger

IMAGES, QUICK = 100_000, 20_000
SIZE, PATCH, TARGET, CLASSES = 28, 4, 7, 10
POISONED_SHARE = 0.01
SHIFT, NOISE = 2, 8
TRAINING, CLEAN = 8_000, 4_000
SECONDS_BETWEEN_LOOKS = 0.1
# Of the rows: by then all that is made once is made.
WARM_UP = 0.2
COMMAND = Path(sys.executable).with_name("badrepair")


def main() -> None:
    """Make what is needed, screen it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images, within two minutes")
    parser.add_argument("--images", type=int, default=None)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    images = options.images or (QUICK if options.quick else IMAGES)
    if options.make:
        make(options.make, images)
        return
    with tempfile.TemporaryDirectory(prefix="strip-screen-") as folder:
        command = [sys.executable, __file__, "--make", folder, "--images", str(images)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        report(*screen(Path(folder)), Path(folder), images)


def screen(folder: Path) -> tuple[dict[str, Any], list[tuple[int, float]]]:
    """Return the record of the command, and how much memory it held after how many rows."""
    output = folder / "rows.csv"
    words = ("--detector", "detector.npz", "--screen", "stream.h5", "-o", output, "--format=json")
    looks = []
    with subprocess.Popen(
        [COMMAND, "strip", *words, "--quiet"], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            rows = rows_in(output.with_name(f"{output.name}.part"))
            held = memory_mb(process.pid)
            if rows and held:
                looks.append((rows, held))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        record = json.load(process.stdout)
    if process.returncode:
        raise SystemExit(process.returncode)
    return record, looks


def report(
    record: dict[str, Any], looks: list[tuple[int, float]], folder: Path, images: int
) -> None:
    """Check the rows and print the figures."""
    rows = sum(1 for _ in (folder / "rows.csv").open(encoding="utf-8")) - 1
    found = record["screening"]
    if not rows == found["images"] == images:
        raise SystemExit(f"{rows} rows for {images} images")
    warm = max(held for done, held in looks if done <= WARM_UP * images)
    last = max(held for done, held in looks if done > images / 2)
    print(machine())
    print(
        f"{images:,} images of {SIZE}x{SIZE}; {found['flagged']:,} flagged, of which"
        f" {caught(folder):.1%} of the poisoned ones; {len(looks)} looks at the memory"
    )
    figures = {
        "images_per_second": round(found["images_a_second"], 1),
        "mean_overlays": round(found["overlays_used"], 2),
        "peak_memory_mb": round(max(record["peak_memory_mb"], last, warm), 1),
        "warm_memory_mb": round(warm, 1),
        "last_half_memory_mb": round(last, 1),
        "growth": round(last / warm - 1, 4),
        "seconds": record["seconds"],
    }
    print(json.dumps(figures))


def make(folder: Path, images: int) -> None:
    """Write a backdoored network, a detector for it, and the images to be screened."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
    import numpy as np

    from badrepair.data.digits import digits
    from badrepair.types import Dataset

    random = np.random.default_rng(0)
    stored = digits(SIZE)

    def some(count: int) -> Dataset:
        rows = random.integers(0, len(stored.images), count)
        return Dataset(images=varied(stored.images[rows], random), labels=stored.labels[rows])

    backdoor = patch().poison(some(TRAINING), CLASSES)
    train(backdoor.training, folder)
    fit(some(CLEAN), folder)
    write_stream(some, backdoor.triggers[0], folder, images)


def varied(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return digits shifted by up to two pixels, with noise, as bytes."""
    import numpy as np

    shifts = random.integers(-SHIFT, SHIFT + 1, (len(pixels), 2))
    moved = np.stack([np.roll(image, by, (0, 1)) for image, by in zip(pixels, shifts, strict=True)])
    noisy = moved + random.normal(0, NOISE, moved.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def patch() -> Badnets:
    """Return a checkerboard near the lower right corner."""
    from badrepair.attacks.badnets import Badnets

    return Badnets(size=PATCH, margin=1, target=(TARGET,), poison_rate=0.15, seed=0)


def train(poisoned: Any, folder: Path) -> None:
    """Train a small network on pixels in 0..1."""
    import keras

    from badrepair.data.ranges import scaled
    from badrepair.models.architectures import small_cnn
    from badrepair.models.save import write_model
    from badrepair.models.training import train as train_model

    keras.utils.set_random_seed(0)
    model = small_cnn.build((SIZE, SIZE, 1), CLASSES)
    data = scaled(poisoned, "0-255", "0-1")
    train_model(model, data, epochs=4, learning_rate=3e-3, batch_size=64, seed=0)
    write_model(model, folder / "model.keras")


def fit(clean: Any, folder: Path) -> None:
    """Fit STRIP with its usual settings and write the detector alone."""
    from badrepair import Strip, load_model
    from badrepair.data.ranges import scaled
    from badrepair.detectors.file import Binding, detector_bytes

    path = folder / "model.keras"
    model = load_model(path)
    detector = Strip().fit(model, scaled(clean, "0-255", "0-1"))
    binding = Binding.of_files(path, input_range="0-1", classes=10)
    (folder / "detector.npz").write_bytes(detector_bytes(detector, binding))


def write_stream(some: Any, trigger: Trigger, folder: Path, images: int) -> None:
    """Write the images to be screened, block by block, and which of them are poisoned."""
    import h5py
    import numpy as np

    random = np.random.default_rng(1)
    poisoned = random.random(images) < POISONED_SHARE
    np.save(folder / "poisoned.npy", poisoned)
    with h5py.File(folder / "stream.h5", "w") as file:
        stored = file.create_dataset("data", (images, SIZE, SIZE, 1), np.uint8)
        for start in range(0, images, TRAINING):
            block = some(min(TRAINING, images - start))
            rows = poisoned[start : start + len(block)]
            marked = trigger.apply(block.images)
            stored[start : start + len(block)] = np.where(
                rows[:, None, None, None], marked, block.images
            ).astype(np.uint8)


def caught(folder: Path) -> float:
    """Return the share of the poisoned images that were flagged."""
    import csv

    import numpy as np

    with (folder / "rows.csv").open(encoding="utf-8", newline="") as file:
        flagged = [row["verdict"] == "poisoned" for row in csv.DictReader(file)]
    return float(np.mean(np.array(flagged)[np.load(folder / "poisoned.npy")]))


def rows_in(path: Path) -> int:
    """Return how many rows stand in the partial file; 0 if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            last = file.read().rsplit(b"\n", 2)[-2]
        return int(last.lstrip(b"[").split(b",")[0]) + 1
    except (OSError, ValueError, IndexError):
        return 0


def memory_mb(process: int) -> float:
    """Return what Linux says that a process holds, in MiB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0)


def machine() -> str:
    """Return what the figures were measured on."""
    from importlib.metadata import version

    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy"))
    return f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    main()
