"""Is a soak long enough to detect what it claims to? Detection probabilities of objectives, from a pilot of the simulation."""
