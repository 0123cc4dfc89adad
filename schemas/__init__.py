"""The scenario language: JSON Schemas, loader, typed model, units, and the vocabulary of events."""
