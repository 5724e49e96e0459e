"""`python -m badrepair`."""

from badrepair.cli import main

main()
