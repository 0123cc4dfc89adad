"""A task orchestrator: a queue in SQLite, dispatchers, workers with leases, and a watchdog."""
