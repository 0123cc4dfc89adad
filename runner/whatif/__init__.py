"""What a change of a scenario would do: the scenario and a variant of it, simulated in pairs with the same seeds."""
