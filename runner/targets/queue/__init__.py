"""Targets of the system `queue`: the bundled orchestrator, and users' classes."""
