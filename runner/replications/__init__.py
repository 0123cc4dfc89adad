"""Many replications of a simulation: worker pools, Dask, seeds and progress."""
