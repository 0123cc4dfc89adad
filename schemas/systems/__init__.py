"""A room for each system: its settings, checks, indicators and faults."""
