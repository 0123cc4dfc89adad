"""Notifications of alerts, aborts and ends of a run. They never block a run."""
