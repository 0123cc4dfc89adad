"""A dependency served over HTTP, which injects the fault requested with each call, and has real limits."""
