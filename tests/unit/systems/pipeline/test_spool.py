"""Files of lines: half lines, full disks, readers that follow."""

import os
from pathlib import Path

import pytest

from soak.systems.pipeline.spool import Appender, LineReader, back, cut_half_line, last_line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"half", b""),
        (b"one\n", b"one\n"),
        (b"one\nhal", b"one\n"),
        (b"one\n" + b"x" * 200_000, b"one\n"),
        (b"x" * 70_000 + b"\n", b"x" * 70_000 + b"\n"),
        (b"x" * 70_000 + b"\n" + b"y" * 70_000 + b"\nz", b"x" * 70_000 + b"\n" + b"y" * 70_000 + b"\n"),
    ],
)
def test_half_a_line_is_cut_off(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(before)
    file = os.open(path, os.O_RDWR)
    assert cut_half_line(file) == len(after)
    os.close(file)
    assert path.read_bytes() == after


@pytest.mark.parametrize(
    ("text", "last"),
    [
        (b"", b""),
        (b"half", b""),
        (b"a\n", b"a"),
        (b"a\nb\nhalf", b"b"),
        (b"a\n" + b"x" * 100_000 + b"\n", b"x" * 100_000),
    ],
)
def test_the_last_whole_line(tmp_path: Path, text: bytes, last: bytes) -> None:
    path = tmp_path / "lines"
    assert last_line(path) == b""
    path.write_bytes(text)
    assert last_line(path) == last


class Disk:
    """A disk that has room for some bytes only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 0
        write = os.write

        def limited(file: int, data: bytes) -> int:
            if not self.room:
                raise OSError(28, "No space left on device")
            done = write(file, data[: self.room])
            self.room -= done
            return done

        monkeypatch.setattr("soak.systems.pipeline.spool.os.write", limited)


@pytest.mark.parametrize("room", range(13))
def test_what_a_full_disk_had_no_room_for_comes_later_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "lines"
    disk, appender = Disk(monkeypatch), Appender(path)
    lines = [b"one\n", b"two\n", b"six\n"]
    disk.room = room
    done = appender.append(lines)
    assert bool(appender.error) == (room < 12)
    assert done == -(-room // 4)
    assert appender.complete == (room % 4 == 0)
    disk.room = 1000
    done += appender.append(lines[done:])
    assert (done, appender.error, path.read_bytes()) == (3, "", b"one\ntwo\nsix\n")


def test_a_kill_on_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines"
    disk = Disk(monkeypatch)
    disk.room = 6
    Appender(path).append([b"one\n", b"two\n"])
    assert path.read_bytes() == b"one\ntw"
    Appender(path)
    assert path.read_bytes() == b"one\n"


def test_a_reader_follows_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    reader = LineReader(path)
    assert (reader.read(), reader.waiting()) == ([], 0)
    path.write_bytes(b"one\ntwo\nhal")
    assert reader.waiting() == 2
    assert (reader.read(), reader.offset, reader.waiting()) == ([b"one", b"two"], 8, 0)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert reader.read() == [b"three"]


def test_a_line_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"x" * 1000 + b"\ny\n")
    reader = LineReader(path)
    assert reader.read(limit=16) == [b"x" * 1000, b"y"]


@pytest.mark.parametrize(("by", "begins"), [(1, 8), (3, 8), (4, 4), (5, 4), (8, 0), (100, 0)])
def test_back_to_the_beginning_of_a_line(tmp_path: Path, by: int, begins: int) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\nsix\n")
    assert back(path, 8, by) == begins
