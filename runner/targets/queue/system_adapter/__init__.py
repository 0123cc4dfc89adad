"""Attached systems that own their workers: the runner submits work, their workers call the task body, and they report changes."""
