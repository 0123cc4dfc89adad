"""The system `gateway` in the judge."""
