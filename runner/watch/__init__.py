"""Watching a run: its event stream is followed as it grows, or replayed, and judged so far. It only reads."""
