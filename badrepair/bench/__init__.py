"""Run attacks against defences in a grid, and report what came of every cell."""
