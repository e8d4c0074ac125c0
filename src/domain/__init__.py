"""Values and decisions: no file, clock, network or environment; standard library only."""
