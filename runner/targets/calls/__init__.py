"""Dependencies as real programs, and a client made of libraries that calls them: the real target of the system `calls`."""
