"""Runs a module as a process that does not outlive its parent: `python -m` this module, with `PID MODULE ...`.

The kernel kills it when the parent dies, even while it is stopped. With `held:MODULE` it begins when its standard input ends;
where that is a socket, it says there that everything is loaded.
"""

import importlib
import os
import runpy
import sys
from contextlib import suppress

from soak.runner.lifeline import die_with_parent

_HELD = "held:"


def main() -> None:
    """Tie this process to its parent, and become the module."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    if not die_with_parent(parent):
        return
    if module.startswith(_HELD):
        module = module.removeprefix(_HELD)
        _wait_for_go(module)
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _wait_for_go(module: str) -> None:
    importlib.import_module(module)
    # It is run under another name: what it rests on stays loaded.
    del sys.modules[module]
    with suppress(OSError):
        os.write(0, b".")
    while os.read(0, 64):
        pass


def command(module: str, *arguments: str, held: bool = False) -> list[str]:
    """The command line that runs a module so. `-P`: no package in the current folder takes the place of one that it needs."""
    return [sys.executable, "-P", "-m", __name__, str(os.getpid()), f"{_HELD if held else ''}{module}", *arguments]


if __name__ == "__main__":
    main()
