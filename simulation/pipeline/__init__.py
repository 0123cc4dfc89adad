"""Records that flow through processes under a supervisor, as a SimPy model."""
