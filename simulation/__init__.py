"""The plan (stochastic workload) and the SimPy models that turn a plan into events."""
