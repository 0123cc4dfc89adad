"""When a verdict is known before the end of a run, with which error, and what keeps it from being known."""
