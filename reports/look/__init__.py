"""The look of all pages: one palette, one base page, one kind of table, one kind of chart. Knows nothing of runs."""
