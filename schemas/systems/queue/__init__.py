"""The system `queue`: a task orchestrator with workers, leases and retries."""
