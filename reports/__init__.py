"""Reports: from the files of a run directory to Markdown and plots. Nothing here runs or judges a scenario."""
