"""Commands of ours, where a test is about what they do and not about their process: starting one costs most of a second."""

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from soak.runner.cli import run_command


def soak(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What a command answers, run in this process."""
    arguments = list(map(str, words))
    with _Stream() as output, _Stream() as errors, redirect_stdout(output), redirect_stderr(errors):
        code = run_command(arguments)
        return subprocess.CompletedProcess(arguments, code, output.text(), errors.text())


class _Stream(io.TextIOWrapper):
    """A standard stream that goes nowhere; `text`: what was written."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", newline="", write_through=True)

    def text(self) -> str:
        return self._bytes.getvalue().decode()
