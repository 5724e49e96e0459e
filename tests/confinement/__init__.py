"""Tests of confinement; a package, so that names may recur in other folders."""
