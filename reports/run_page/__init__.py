"""The parts of report.html: what is said first, the charts, and the tables."""
