"""The system `calls` in reports."""
