"""Is a soak long enough to see what it claims? Detection probabilities of objectives, from a pilot of the simulation."""
