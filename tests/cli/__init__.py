"""Tests of the command, as a user meets it; a package, since files elsewhere bear the same names."""
