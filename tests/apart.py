"""Many commands in one process of its own, in which other packages may offer systems: here nothing is to be registered."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """
import contextlib, io, json, sys
from soak.runner.cli import run_command
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_command(json.loads(line))
    sys.stdout.write(json.dumps([code, out.getvalue(), err.getvalue()]) + "\\n")
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


class Commands:
    """Runs commands of soak, one after the other, in the same process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, *words: str | Path) -> Done:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([*map(str, words)]) + "\n")
        self._process.stdin.flush()
        return Done(*json.loads(self._process.stdout.readline()))


def environment(*packages: Path) -> dict[str, str]:
    """An environment in which Python finds what is in these folders."""
    found = os.pathsep.join([*map(str, packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": found}


@contextmanager
def commands(directory: Path, *packages: Path) -> Iterator[Commands]:
    """A process for commands, which run in `directory`."""
    command = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=directory,
        env=environment(*packages),
    ) as process:
        try:
            yield Commands(process)
        finally:
            process.kill()
