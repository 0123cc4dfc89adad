"""Knowing the answer before the run: many replications of a scenario's simulation, and what they say together."""
