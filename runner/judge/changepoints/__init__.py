"""Change points of an indicator: when it went to another level, and what else happened then."""
