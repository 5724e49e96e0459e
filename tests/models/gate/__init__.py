"""Tests of the gate; a package, so that names may recur in other folders."""
