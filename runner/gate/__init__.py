"""A release gate: rules over test results and run directories, decided from the evidence alone."""
