"""What the judge follows of the system `pipeline`."""
