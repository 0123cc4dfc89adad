"""The real target of the system `calls`: dependencies as real processes, and a client built from libraries."""
