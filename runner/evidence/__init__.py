"""The evidence of a run: its directory, the event stream, manifest, series, checksums, and their verification."""
