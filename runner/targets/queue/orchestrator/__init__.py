"""The real orchestrator as a target. Nothing is imported here: every process of the system would pay for it."""
