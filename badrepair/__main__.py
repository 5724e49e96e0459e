"""`python -m badrepair`."""

import sys

# That puts the current folder before all others, and one with models in it may have a rich.py.
if not sys.flags.safe_path:
    del sys.path[0]

from badrepair.cli import main

main()
