"""The verdict before the run: many replications of a scenario's simulation, and how likely each outcome is."""
