"""Targets of the system `queue`: the bundled orchestrator, and classes of a user's own."""
