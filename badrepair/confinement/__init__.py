"""Read a file from anybody in a process that can neither write, nor last, nor take the machine.

Parsers of binary formats have faults that nobody knows yet: a few flipped bytes crash HDF5, or let
it run for ever. What such a process sends back is plain JSON and plain arrays, and is itself
looked at as something that came from anybody.
"""
