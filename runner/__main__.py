"""`python -m runner` is `soak`."""

from runner.cli import main

main()
