"""The HTML page of every analysis: the answer first, what to do next, tables and pictures."""
