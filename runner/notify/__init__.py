"""Telling people: alerts, aborts and ends of a run, through whatever service the scenario names. A run never waits for it."""
