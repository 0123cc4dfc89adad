"""Checks in the judge: their values as series, what each answered, and what follows for what was expected of it."""
