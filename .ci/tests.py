"""Runs pytest; what fails of the tests that run real processes against the clock is run once more, alone.

Such a test may fail because the machine was busy with something else. It fails this run when it fails again; what passed the
second time is named, so that nobody has to guess how often that happens. Every other test is right at once or fails.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from shares import against_the_clock

SOME_FAILED = 1
"""How pytest says that tests failed, and nothing else went wrong."""


def say(words: str) -> None:
    """A line between those of pytest."""
    sys.stdout.write(f"tests: {words}\n")
    sys.stdout.flush()


def main() -> int:
    """The exit code of pytest, whose words are this command's: `tests.py path/to/pytest -x tests/unit`."""
    with tempfile.TemporaryDirectory() as cache:
        command = [*sys.argv[1:], "-o", f"cache_dir={cache}"]
        code = subprocess.run(command, check=False).returncode
        if code != SOME_FAILED:
            return code
        failed = sorted(json.loads((Path(cache) / "v" / "cache" / "lastfailed").read_text()))
        others = [name for name in failed if not against_the_clock(Path(name.partition("::")[0]))]
        if others:
            say(f"{len(others)} failed that do not run against the clock: nothing is run again")
            return code
        say(f"{len(failed)} that run against the clock failed; once more, alone: {', '.join(failed)}")
        return subprocess.run([*command, "-n", "1", "--last-failed"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
