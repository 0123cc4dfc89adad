"""The system `calls`: a client that calls dependencies, with policies."""
