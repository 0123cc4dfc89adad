"""Targets: what turns a plan into events."""
