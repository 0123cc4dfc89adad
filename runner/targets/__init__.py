"""Targets: they turn a plan into events."""
