"""Tests of the command as a user meets it; a package, since names of files recur elsewhere."""
