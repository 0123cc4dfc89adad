"""index.html over the runs of a folder, and their list for a terminal. Reads rows of `schemas/evidence/runs` only."""
