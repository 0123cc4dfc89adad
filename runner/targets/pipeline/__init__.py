"""The real target of the system `pipeline`: a group of processes, named by a target file."""
