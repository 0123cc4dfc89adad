"""The real targets of the system `gateway`."""
