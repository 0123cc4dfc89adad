"""Runs of a folder, from their small files of evidence alone: a list, trends, and what changed from run to run."""
