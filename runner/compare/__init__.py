"""Two runs, or a run and a pinned baseline: every SLI with its change, and whether that is more than noise."""
