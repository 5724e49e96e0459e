"""What several test files share: a few images, and images that note who reads them."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair import progress
from badrepair.types import Dataset


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep what the tests remember apart from what the user's runs do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def clean():
    """Return 24 labelled random images for the networks of `networks.py`."""
    random = np.random.default_rng(7)
    images = random.normal(size=(24, 8, 8, 2)).astype(np.float32)
    return Dataset(images=images, labels=np.arange(24) % 3)


class Recording:
    """Images that note which rows are read, and inside which loop."""

    def __init__(self, images, loops):
        self.images, self.loops, self.shape = images, loops, images.shape
        self.reads = []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, key):
        self.reads.append((self.loops[-1], np.arange(len(self))[key]))
        return self.images[key]

    def rows(self, loop):
        """Return which rows were read inside a loop, once each."""
        return {int(row) for name, rows in self.reads if name == loop for row in rows}


@pytest.fixture
def recording():
    """Return a function that wraps images so that what is read of them is noted."""
    loops = ["no loop"]

    def note_the_loop(items, label, total):
        loops.append(label)
        yield from items
        loops.pop()

    with progress.using(note_the_loop):
        yield lambda images: Recording(images, loops)
