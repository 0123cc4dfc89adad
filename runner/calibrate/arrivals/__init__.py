"""`soak calibrate --arrivals`: from the arrivals of a trace or run to `workload.arrivals`, and how well it fits."""
