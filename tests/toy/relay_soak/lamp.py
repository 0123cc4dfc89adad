"""The program of one relay: it says that it is ready; for each line `number seconds` it travels that long and says the number."""

import sys
import time


def main() -> None:
    say("ready")
    for line in sys.stdin:
        number, seconds = line.split()
        time.sleep(float(seconds))
        say(number)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
