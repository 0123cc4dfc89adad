"""From rules, objectives and thresholds of other tools to the matching part of a scenario."""
