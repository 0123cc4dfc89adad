"""Time series: the metrics of a run, sent to databases during the run, or written to a file afterwards."""
