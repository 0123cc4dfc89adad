"""The model of the system `queue`: a task orchestrator with workers, leases and retries."""
