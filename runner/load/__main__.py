"""A process that makes load: `python -m soak.runner.load FD PARENT ROLE …`, with a socket to the process that started it."""

import os
import signal
import sys

from gevent import monkey

monkey.patch_all()

# Only now: what is imported before would go on with sockets that block the whole process.
from soak.runner.lifeline import die_with_parent  # noqa: E402
from soak.runner.load.roles import run  # noqa: E402


def main(arguments: list[str]) -> int:
    """Act in a role until the end; returns the exit code."""
    fd, parent, role, *rest = arguments
    # Ctrl-C is for the process that started this one, which ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not die_with_parent(int(parent)):
        return 1
    return run(int(fd), role, rest)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    # Not an orderly exit: requests in flight would be waited for.
    os._exit(code)
