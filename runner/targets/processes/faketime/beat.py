"""Waits again and again, and says each time how long it had to: run under a fake clock, beside the programs that have it.

A program of its own. Argument: seconds to wait. Each line: how many had passed when it woke up, both by its own clock.
"""

import os
import sys
import time


def main() -> None:
    """Until nobody reads it."""
    seconds, parent = float(sys.argv[1]), os.getppid()
    while os.getppid() == parent:
        began = time.monotonic()
        time.sleep(seconds)
        sys.stdout.write(f"{time.monotonic() - began}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
