"""Defences, one file each. A defence sees clean data only."""
