"""Notifications: alerts, aborts and ends of a run, through the services that the scenario names. A run never waits for them."""
