"""Attacks, one file each, to make test BadNets."""
