"""The gate: what a model file from anybody passes before anything of it is used.

A confined process (`reader`) tells the format by the first bytes, looks through archive, JSON and
HDF5, and describes what is there. The description is walked against an allow-list, and only then
is a network built, from a configuration of our own and from plain arrays, never from the file.
"""
