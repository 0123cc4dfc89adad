"""What a person at a terminal sees of a run, and what is left of the terminal after it."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "72h.yaml"
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOR = re.compile(r"\x1b\[(?:[0-9]+;)*3[0-9]m|\x1b\[9[0-9]m")


def at_a_terminal(
    *words: object,
    size: tuple[int, int] = (100, 40),
    environment: dict[str, str] | None = None,
    after: Callable[[str], bool] = lambda _: False,
    number: int = signal.SIGINT,
) -> tuple[int, str]:
    """The exit code of a command at a terminal of (columns, lines), and all that it wrote; `after`: when it is sent a signal."""
    leader, follower = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR", "CI"}}
    surroundings = {**kept, "TERM": "xterm", "COLUMNS": str(size[0]), "LINES": str(size[1]), **(environment or {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "soak", *map(str, words)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=ROOT,
        env=surroundings,
    )
    os.close(follower)
    seen, is_sent = b"", False
    try:
        while chunk := _read(leader):
            seen += chunk
            if not is_sent and after(seen.decode(errors="replace")):
                process.send_signal(number)
                is_sent = True
        return process.wait(timeout=30), seen.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""  # Linux: nobody has the other end any more.


def frames(text: str) -> list[list[str]]:
    """The lines of each drawing of the table."""
    return [part.splitlines() for part in re.split(r"so far (?=72 h)", ESCAPE.sub("", text))[1:]]


def test_a_run_at_a_terminal_has_a_table_and_a_summary_in_color(tmp_path: Path) -> None:
    code, text = at_a_terminal("run", SCENARIO, "--set", "queue.workers=2", "--duration", "24h", "-o", tmp_path / "run")
    assert code == 3
    live, _, end = text.rpartition(SHOWN)
    assert HIDDEN in live and HIDDEN not in end
    table = "\n".join(frames(live)[-1])
    assert "of 24h" in table and "latency_p95 <= 120s" in table
    for word in ("used of its limit", "tasks ", "load ", "now ", "faults ", "alerts "):
        assert word in table
    assert re.search(r"FAIL  latency_p95 <= 120s +\S+ +<= 120s +-\S+ +\[█{10}\|█+·*\] +\d+%", table)
    assert "\x1b[31m\x1b[1mFAIL\x1b[0m  72 h stress soak" in end
    plain = ESCAPE.sub("", end)
    assert "objective latency_p95 <= 120s is broken" in plain and "    soak report " in plain


@pytest.mark.parametrize(("size", "without"), [((44, 12), "limit"), ((70, 24), "used of"), ((30, 7), "limit")])
def test_a_table_fits_a_narrow_terminal(size: tuple[int, int], without: str, tmp_path: Path) -> None:
    code, text = at_a_terminal("run", SCENARIO, "--duration", "24h", "-o", tmp_path / "run", size=size)
    assert code == 0
    drawn = frames(text.rpartition(SHOWN)[0])
    assert drawn
    for lines in drawn:
        table = [line for line in lines if line.strip()]
        assert len(table) <= size[1]
        assert max(len(line) for line in table[1:]) <= size[0]
        assert without not in "\n".join(line for line in table if not line.startswith("  …"))


@pytest.mark.parametrize(
    ("environment", "is_drawn", "is_colored"),
    [({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, False, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False)],
)  # fmt: skip
def test_a_terminal_is_asked_what_it_can(
    environment: dict[str, str], is_drawn: bool, is_colored: bool, tmp_path: Path
) -> None:
    code, text = at_a_terminal("run", SCENARIO, "--duration", "24h", "-o", tmp_path / "run", environment=environment)
    assert code == 0
    assert (HIDDEN in text, bool(COLOR.search(text))) == (is_drawn, is_colored)
    assert ("  24h of 24h: success " in text) is not is_drawn


def test_color_can_be_asked_for_elsewhere(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "soak", "run", SCENARIO, "--duration", "6h", "-o", tmp_path / "run"]
    environment = {**os.environ, "FORCE_COLOR": "1", "NO_COLOR": ""}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0 and COLOR.search(done.stdout)
    assert HIDDEN not in done.stderr and "  6h of 6h: success " in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_the_terminal_as_it_was(number: int, tmp_path: Path) -> None:
    code, text = at_a_terminal(
        "run", SCENARIO, "-o", tmp_path / "run", after=lambda seen: "so far" in seen, number=number
    )
    assert code == 130
    assert text.rindex(SHOWN) > text.rindex(HIDDEN)
    assert "INCONCLUSIVE" in text.rpartition(SHOWN)[2]
    assert (tmp_path / "run" / "SHA256SUMS").exists()


def test_a_terminal_that_goes_away_stops_no_run_over_its_table(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    words = [sys.executable, "-m", "soak", "run", str(SCENARIO), "--duration", "12h", "-o", str(tmp_path / "run")]
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, cwd=ROOT, env=environment
    )
    os.close(follower)
    while b"evidence in" not in os.read(leader, 65536):
        time.sleep(0.01)
    os.close(leader)
    assert process.wait(timeout=60) == 0
    assert (tmp_path / "run" / "verdict.json").exists()


def test_a_quiet_run_says_its_verdict_and_where_it_is(tmp_path: Path) -> None:
    code, text = at_a_terminal("run", SCENARIO, "--duration", "6h", "-o", tmp_path / "run", "-q")
    assert code == 0
    assert ESCAPE.sub("", text) == f"PASS  72 h stress soak (ORCH-014, profile B)\n{tmp_path / 'run'}\n"


def test_errors_of_a_quiet_command_are_said(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "soak", "run", str(tmp_path / "none.yaml"), "-q"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2 and "none.yaml" in done.stderr and not done.stdout


def test_a_report_is_opened_in_the_browser(tmp_path: Path) -> None:
    run, opened = tmp_path / "a run", tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{opened}"\n')
    browser.chmod(0o755)
    words = [sys.executable, "-m", "soak", "run", str(SCENARIO), "--duration", "6h", "-o", str(run), "-q", "--open"]
    environment = {**os.environ, "BROWSER": f"{browser} %s"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert opened.read_text() == (run / "report.html").resolve().as_uri()
    without = {
        name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}
    }
    words = [sys.executable, "-m", "soak", "report", str(run), "-q", "--open"]
    done = subprocess.run(words, env=without, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    if sys.platform == "linux":
        assert f"open {run / 'report.html'} yourself" in done.stderr
