"""Detectors that are fitted: they score inputs, flag them, and can be kept in a file."""
