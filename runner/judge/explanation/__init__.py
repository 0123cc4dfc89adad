"""Why something is broken: since when, where, and the first cases."""
