"""Time series: the figures of a run, sent to databases while it goes on, or written to a file when it has ended."""
