"""The system `pipeline` in reports."""
