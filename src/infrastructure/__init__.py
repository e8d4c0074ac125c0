"""Everything that touches the world: files, processes, databases, terminals."""
