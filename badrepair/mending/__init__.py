"""What repairs of trained networks share: the case, its suspected triggers, and the choice."""
