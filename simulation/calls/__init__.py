"""A client that calls dependencies under faults, as a SimPy model."""
