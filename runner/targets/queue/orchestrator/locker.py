"""A process that holds the write lock of a database on command: `hold` and `release`, one per line."""

import sqlite3
import sys

_PATIENCE_S = 60.0


def main() -> None:
    """Answer each line on standard input with `held` or `released` on standard output; end with the input."""
    database = sqlite3.connect(sys.argv[1], timeout=_PATIENCE_S, isolation_level=None)
    try:
        for line in sys.stdin:
            if line.strip() == "hold":
                database.execute("BEGIN IMMEDIATE")
                sys.stdout.write("held\n")
            else:
                database.execute("ROLLBACK")
                sys.stdout.write("released\n")
            sys.stdout.flush()
    finally:
        database.close()


if __name__ == "__main__":
    main()
