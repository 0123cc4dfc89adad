"""Making the virtual environment of an adapter: `venv`, then `pip`, as anyone would."""

import hashlib
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from soak.runner.targets.adapters import Environment
from soak.schemas.errors import OutputError, UsageError, printable, reason, writing

_MARK = ".soak-requirements"
"""File in an environment that was finished: the hash of what was installed."""

_LAST_WORDS = 5
_MARGIN = 110
_PROGRESS = ("Collecting ", "Processing ", "Building ", "Installing ")
"""What lines of `pip` begin with that are passed on."""


def is_up_to_date(wanted: Environment) -> bool:
    """Whether an environment is there and has what its requirements say."""
    try:
        return wanted.python.exists() and (wanted.folder / _MARK).read_text() == _hash(wanted)
    except OSError:
        return False


def make(wanted: Environment, remark: Callable[[str], None]) -> None:
    """Make an environment, or bring one up to date that soak made. Raises UsageError and OutputError.

    remark: is given a line for each thing that is done.
    """
    new = not wanted.python.exists()
    if new and wanted.folder.is_dir() and any(wanted.folder.iterdir()):
        raise UsageError(f"{wanted.folder} is not empty, and no environment (give another --dir)")
    with writing(wanted.folder):
        wanted.folder.mkdir(parents=True, exist_ok=True)
        (wanted.folder / _MARK).unlink(missing_ok=True)
    if new:
        remark(f"making {wanted.folder}")
        _run([sys.executable, "-m", "venv", str(wanted.folder)], wanted, lambda _: None)
    pip = [
        str(wanted.python),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar=off",
    ]
    _run([*pip, "-r", str(wanted.requirements)], wanted, remark)
    with writing(wanted.folder / _MARK):
        (wanted.folder / _MARK).write_text(_hash(wanted))


def _hash(wanted: Environment) -> str:
    return hashlib.sha256(wanted.requirements.read_bytes()).hexdigest()


def _run(command: Sequence[str], wanted: Environment, remark: Callable[[str], None]) -> None:
    """Run a command, whose progress is passed on. Raises UsageError with its last words."""
    words: deque[str] = deque(maxlen=_LAST_WORDS)
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as running:
            try:
                for line in running.stdout or ():
                    text = printable(line.decode(errors="replace").rstrip())
                    if text:
                        words.append(text)
                    if text.startswith(_PROGRESS):
                        remark(f"  {text[:_MARGIN]}")
            except BaseException:
                running.kill()
                raise
    except OSError as error:
        raise OutputError(f"{Path(command[0]).name}: {reason(error)} (is this Python complete?)") from None
    if running.returncode:
        last = " / ".join(words) or "no word"
        what = f"the environment {wanted.name} was not made: {Path(command[2]).name} exited with {running.returncode}"
        remedy = "see that this machine reaches the package index, then run it again; what it installs is in"
        raise UsageError(f"{what}: {last} ({remedy} {wanted.requirements})")
