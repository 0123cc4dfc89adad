"""The program of one relay: for each line `number seconds` it travels that long and answers with the number."""

import sys
import time


def main() -> None:
    for line in sys.stdin:
        number, seconds = line.split()
        time.sleep(float(seconds))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
