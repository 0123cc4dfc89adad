"""Files that are written in one go, and what is not replaced by one."""

import os
from pathlib import Path

import pytest

from soak.runner.evidence.directory import write_whole


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(path, b"whole")
        assert os.read(reader, 100) == b"whole"
    finally:
        os.close(reader)
    assert path.is_fifo()
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]
