"""Target files: how a system is started, reached, observed and stopped."""
