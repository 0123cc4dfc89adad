"""Attached queues (classes that implement `soak.contract.Queue`) as a target."""
