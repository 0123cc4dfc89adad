"""Compiled parts: C sources, built on demand where the machine has a compiler, that give what the Python beside them gives."""
