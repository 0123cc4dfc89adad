"""What runs compiled where the machine has a C compiler: C sources, built on demand, that give what the Python beside them gives."""
