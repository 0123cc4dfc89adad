"""The system `gateway` in reports."""
