"""Trackers specific to a system."""
