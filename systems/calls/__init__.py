"""A dependency to be called over HTTP, which shows for each call the fault it is told, and has limits that are real."""
