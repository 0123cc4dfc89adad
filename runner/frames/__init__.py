"""What a run left behind, as tables: Arrow, pandas and polars (extras `arrow`, `pandas`, `polars`)."""
