"""Evidence that is no text, or nested without end: every command says so, whichever file it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory

pytestmark = pytest.mark.usefixtures("undrawn")


def not_utf_8(content: bytes) -> bytes:
    """A letter in the middle of some word is a byte that no text has."""
    place = next(at for at in range(len(content) // 2, len(content)) if content[at : at + 1].isalnum())
    return content[:place] + b"\x81" + content[place + 1 :]


def bottomless(content: bytes) -> bytes:
    cut = content.rfind(b"\n", 0, len(content) // 2) + 1
    return content[:cut] + b"[" * 99_999 + b"\n" + content[cut:]


def wholly_bottomless(_: bytes) -> bytes:
    return b"[" * 99_999 + b"]" * 99_999


FILES = (
    "scenario.yaml", "run_manifest.json", "verdict.json", "alerts.json", "checkpoints.json", "metrics.csv", "SHA256SUMS",
    "soak_*.jsonl",
)  # fmt: skip


@pytest.mark.parametrize("pattern", FILES)
@pytest.mark.parametrize("damage", [not_utf_8, bottomless, wholly_bottomless])
def test_no_command_breaks_at_a_damaged_file(
    run: RunDirectory,
    original: Path,
    tmp_path: Path,
    pattern: str,
    damage: Callable[[bytes], bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    [path] = run.path.glob(pattern)
    path.write_bytes(damage(path.read_bytes()))
    if pattern != "SHA256SUMS":
        run.write_checksums()
    place, base = str(run.path), str(original)
    # A name in the stream that is not known is passed over, as one of a later version would be.
    assert run_command(["verify", place]) in ({0, 3} if path.suffix == ".jsonl" else {3})
    for words in (
        ["incident", place], ["watch", place, "--json", "--replay", "1000000"], ["report", place],
        ["export", place, "--openmetrics"], ["baseline", place, str(tmp_path / "b.json")], ["resume", place],
        ["compare", place, base, "--out", str(tmp_path / "c1")], ["compare", base, place, "--out", str(tmp_path / "c2")],
        ["compare", base, place, "--parity", "--out", str(tmp_path / "p")],
        ["calibrate", place, "-n", "3", "--out", str(tmp_path / "k")],
    ):  # fmt: skip
        assert run_command(words) in {0, 2, 3, 4, 5}, words
    assert "internal error" not in capfd.readouterr().err
