"""Runs a module as a process that does not outlive its parent: `python -m runner.targets.orchestrator.launch PID MODULE ...`.

The kernel kills it when the parent dies, even while it is stopped.
"""

import os
import runpy
import sys

from runner.lifeline import die_with_parent


def main() -> None:
    """Tie this process to its parent, and become the module."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    if not die_with_parent(parent):
        return
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module so."""
    return [sys.executable, "-m", __name__, str(os.getpid()), module, *arguments]


if __name__ == "__main__":
    main()
