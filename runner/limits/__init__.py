"""Where a scenario breaks: the largest or smallest value of a parameter at which PASS is still likely enough."""
