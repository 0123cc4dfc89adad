"""Traces: files with one arrival per row, read in bounded memory."""
