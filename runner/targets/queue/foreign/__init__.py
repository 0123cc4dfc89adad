"""Real runs of a task system that a target file describes: what it is asked to do and what it was seen to do decide."""
