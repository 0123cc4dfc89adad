"""Logs of processes: what was in them and is gone is seen, however they were written anew."""

from pathlib import Path

import pytest

from soak.runner.targets.pipeline.logs import Log

FIRST, SECOND = b"10:00:01 ready\n", b"10:00:09 ready\n"


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A log that was looked at when it had one line."""
    (tmp_path / "signal.log").write_bytes(FIRST)
    log = Log(tmp_path / "signal.log")
    assert log.lost() == 0
    return log


def test_a_log_that_is_appended_to_is_whole(log: Log, tmp_path: Path) -> None:
    for _ in range(3):
        with (tmp_path / "signal.log").open("ab") as file:
            file.write(SECOND)
        assert log.lost() == 0
    assert log.size == len(FIRST) + 3 * len(SECOND)


def test_a_log_that_is_written_anew_is_lost_though_it_is_as_long(log: Log, tmp_path: Path) -> None:
    (tmp_path / "signal.log").write_bytes(SECOND)
    assert log.lost() == len(FIRST)
    assert log.lost() == 0
    (tmp_path / "signal.log").write_bytes(FIRST)
    assert log.lost() == len(SECOND)


def test_a_log_that_is_cut_or_deleted_is_lost(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "signal.log"
    path.write_bytes(FIRST[:5])
    assert log.lost() == len(FIRST)
    path.unlink()
    assert log.lost() == 5
    assert log.lost() == 0
    path.write_bytes(SECOND)
    assert log.lost() == 0
    assert log.size == len(SECOND)


def test_a_log_that_is_renamed_is_kept(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "signal.log"
    path.rename(tmp_path / "signal.log.1")
    assert log.lost() == 0
    path.write_bytes(SECOND)
    assert log.lost() == 0
    path.write_bytes(FIRST)
    assert log.lost() == len(SECOND)


def test_a_log_that_was_never_there_is_not_lost(tmp_path: Path) -> None:
    log = Log(tmp_path / "no.log")
    assert log.lost() == 0
    assert not log.is_there
