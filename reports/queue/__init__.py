"""The system `queue` in reports."""
