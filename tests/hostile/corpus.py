"""All hostile model files by name: the function that makes one in a folder, and the code of it.

The files are made when they are needed; none is stored. A name ends with the format where one
attack comes in several.
"""

from __future__ import annotations

import activations
import archives
import bombs
import descriptions
import foreign
import old_files
import stored
import texts

HOSTILE = {
    **descriptions.FILES,
    **bombs.FILES,
    **activations.FILES,
    **texts.FILES,
    **archives.FILES,
    **stored.FILES,
    **old_files.FILES,
    **foreign.FILES,
}
# Such a file loads, since what is wrong with it is never read. Of the first a scan tells; the
# others (no code) are dangerous for others alone.
LOADED = frozenset({"CodeInTraining", ""})


def make(names, folder):
    """Make files, each in a folder of its own, and return their paths by name."""
    paths = {}
    for number, name in enumerate(names):
        own = folder / f"{number:03d}"
        own.mkdir()
        paths[name] = HOSTILE[name][0](own)
    return paths
