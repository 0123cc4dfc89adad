"""Compressed event streams: the same lines, read as far as they go, refused where they are damaged, in flat memory."""

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from backports import zstd
from histories import IDENTITY
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import SCENARIO, record

import soak
from soak.reports.events import read_events, read_histories
from soak.reports.run_page.ended import read_ended
from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.stream import EventsReader, StreamReader, StreamWriter
from soak.runner.gate.runs import find_runs
from soak.runner.history.reading import has_signs
from soak.runner.last_run import last_run
from soak.runner.watch.follow import follow, newest_run
from soak.schemas.errors import EvidenceError, UsageError
from soak.schemas.evidence.verdict import SlowTask
from soak.schemas.stream.block import COLUMNS, Block, make_block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.storage import open_stream, stream_file
from soak.schemas.stream.vocabulary import Vocabulary


def block(first: int, size: int = 400) -> Block:
    """Retries, one a second."""
    numbers = np.arange(first, first + size)
    return make_block(
        numbers, [Kind.TASK_RETRY] * size, until_s=float(first + size), task=2 * numbers, value=numbers * 7.0
    )


def written(path: Path, blocks: int = 3) -> bytes:
    """The file of a stream of these blocks."""
    with StreamWriter(path, IDENTITY, Vocabulary()) as writer:
        for number in range(blocks):
            writer.append(block(400 * number))
    return path.read_bytes()


def plain_of(path: Path) -> bytes:
    """What is in a stream."""
    with open_stream(path) as file:
        return file.read()


def columns(blocks: list[Block]) -> list[bytes]:
    """All columns, wherever blocks end."""
    return [np.concatenate([getattr(each, name) for each in blocks]).tobytes() for name in COLUMNS]


def read(path: Path) -> tuple[StreamReader, list[Block]]:
    """The reader of a stream, and its blocks."""
    reader = StreamReader(path, Vocabulary())
    return reader, list(reader.blocks())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A compressed stream of 1,200 events."""
    path = tmp_path / "soak_x.jsonl.zst"
    written(path)
    return path


def test_it_has_the_lines_of_a_plain_one_in_a_fraction_of_the_size(path: Path, tmp_path: Path) -> None:
    plain = written(tmp_path / "soak_x.jsonl")
    assert zstd.decompress(path.read_bytes()) == plain == plain_of(path)
    assert len(path.read_bytes()) < len(plain) / 5


def test_blocks_can_be_read_before_the_stream_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "soak_x.jsonl.zst"
    writer = StreamWriter(path, IDENTITY, Vocabulary())
    for number in range(3):
        writer.append(block(400 * number))
        assert sum(map(len, read(path)[1])) == 400 * (number + 1)
    writer.close()


def test_a_stream_is_followed_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "soak_x.jsonl.zst"
    with StreamWriter(path, IDENTITY, Vocabulary()) as writer:
        events = StreamReader(path, Vocabulary()).follow()
        assert next(events) is None
        for number in range(3):
            writer.append(block(400 * number))
            found = next(events)
            assert found is not None
            assert len(found) == 400
            assert next(events) is None


@settings(max_examples=60)
@given(data=st.data())
def test_wherever_it_is_cut_it_is_read_as_far_as_it_goes(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "soak_x.jsonl.zst"
    whole = written(path)
    lines = plain_of(path)
    path.write_bytes(whole[: data.draw(st.integers(4, len(whole)))])
    left = plain_of(path)
    assert lines.startswith(left)
    if b"\n" not in left:
        return
    reader, blocks = read(path)
    assert sum(map(len, blocks)) == left.count(b"\n") - 1
    assert reader.cut == (not left.endswith(b"\n"))
    # To go on with it: what is whole stays, what follows is appended, and every tool can read it.
    with StreamWriter(path, IDENTITY, Vocabulary(), goes_on=True) as writer:
        writer.append(block(5000))
    assert zstd.decompress(path.read_bytes()) == plain_of(path)
    assert columns(read(path)[1]) == columns([*blocks, block(5000)])
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@settings(max_examples=80)
@given(data=st.data())
def test_what_was_changed_is_refused_or_is_as_it_was(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("changed") / "soak_x.jsonl.zst"
    whole = bytearray(written(path))
    blocks = read(path)[1]
    whole[data.draw(st.integers(4, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        found = read(path)[1]
    except EvidenceError as error:
        assert str(error).startswith(f"{path}:")
        return
    assert all(one == other[: len(one)] for one, other in zip(columns(found), columns(blocks), strict=True))


def test_damage_is_told_with_its_line(path: Path) -> None:
    whole = zstd.decompress(path.read_bytes())
    line = whole[: len(whole) // 2].count(b"\n") + 1
    parts = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    path.write_bytes(zstd.compress(parts[0]) + b"\x28\xb5\x2f\xfd\xff\xff\xff\xff" + zstd.compress(parts[1]))
    with pytest.raises(
        EvidenceError, match=rf"soak_x.jsonl.zst:{line}: cannot be decompressed \(the stream is damaged"
    ):
        plain_of(path)


def bomb(path: Path, line: bytes, times: int) -> None:
    """A header, and one piece of text very often, in a small file."""
    compressor = zstd.ZstdCompressor()
    with path.open("wb") as file:
        file.write(compressor.compress(b'{"t":1}\n'))
        for _ in range(times):
            file.write(compressor.compress(line * (1 << 20)))
        file.write(compressor.flush())


def peak_mb(work: Callable[[], object]) -> float:
    """The most memory of Python's that it takes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_a_small_file_of_very_many_lines_is_read_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zst"
    bomb(path, b"1\n", 64)
    assert path.stat().st_size < 100_000

    with open_stream(path) as lines:
        assert peak_mb(lambda: all(iter(lambda: lines.read(1 << 16), b""))) < 8


def test_a_small_file_of_one_very_long_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zst"
    bomb(path, b" ", 400)

    def lines() -> None:
        with (
            open_stream(path) as file,
            pytest.raises(EvidenceError, match=r"bomb.zst:2: is longer than 16,777,216 bytes"),
        ):
            file.readlines()

    assert peak_mb(lines) < 64


def test_a_frame_that_asks_for_much_memory_is_refused(path: Path) -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    path.write_bytes(compressor.compress(b"{}\n") + compressor.flush())
    with pytest.raises(EvidenceError, match=r":1: cannot be decompressed"):
        plain_of(path)


def test_without_the_package_reading_says_what_is_missing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("Python brings it")
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "backports", None)
    with pytest.raises(UsageError, match=r"backports.zstd, which is not installed .*\[zstd\]"):
        StreamReader(path, Vocabulary())


def test_without_the_package_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("Python brings it")
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        "version: 1\nsystem: queue\nslos: [success_rate >= 1%]\n" + SCENARIO.split("\nslis:")[0], encoding="utf-8"
    )
    assert run_command(["run", str(scenario), "--set", "telemetry.compress=zstd", "--out", str(tmp_path / "run")]) == 2
    assert "telemetry: {compress: zstd} needs backports-zstd, which is not installed" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, RunDirectory]:
    """One run, its stream plain and compressed."""
    made = []
    for name, more in (("plain", ()), ("compressed", ("telemetry.compress=zstd",))):
        place = tmp_path_factory.mktemp("runs") / name
        place.mkdir()
        made.append(record(place, SCENARIO, settings=more))
    return made[0], made[1]


Runs = tuple[RunDirectory, RunDirectory]


def test_readers_find_the_same_in_both(runs: Runs) -> None:
    plain, compressed = (stream_file(each.path, "small") for each in runs)
    assert (plain.name, compressed.name) == ("soak_small.jsonl", "soak_small.jsonl.zst")
    assert plain_of(plain).split(b"\n", 1)[1] == plain_of(compressed).split(b"\n", 1)[1]
    assert list(read_events(plain)) == list(read_events(compressed))
    tasks = [SlowTask(task=str(number), ended_s=900.0, latency_s=900.0) for number in (40, 300, 500)]
    histories = read_histories(plain, tasks)
    assert all(histories.values())
    assert read_histories(compressed, tasks) == histories
    renamed = compressed.with_name("renamed.jsonl")
    renamed.write_bytes(compressed.read_bytes())
    assert read_histories(renamed, tasks) == histories
    renamed.unlink()
    assert read_ended(compressed).latency_s.tobytes() == read_ended(plain).latency_s.tobytes()
    assert columns(list(EventsReader(compressed, Vocabulary()).blocks())) == columns(
        list(EventsReader(plain, Vocabulary()).blocks())
    )


def test_soak_open_reads_both(runs: Runs) -> None:
    plain, compressed = (soak.open(each.path).events for each in runs)
    assert [event.type for event in compressed()] == [event.type for event in plain()]
    assert compressed.arrow().equals(plain.arrow())


def test_runs_with_compressed_streams_are_found(runs: Runs) -> None:
    _, compressed = runs
    assert newest_run(compressed.path.parent) == compressed.path
    assert has_signs({"scenario.yaml", "soak_small.jsonl.zst"})
    [run] = find_runs(compressed.path.parent, "recorded")
    assert run.scenario == "small"
    assert last_run(compressed.path.parent / "other", "small") is None
    *_, state = follow(compressed.path)
    assert state.ended


@pytest.mark.parametrize("command", [["verify"], ["export", "--openmetrics", "--out", "OUT"]])
def test_commands_read_it(runs: Runs, command: list[str], tmp_path: Path) -> None:
    name, *more = [str(tmp_path / "out") if word == "OUT" else word for word in command]
    assert run_command([name, str(runs[1].path), *more]) == 0


def test_its_events_can_be_replayed(runs: Runs, tmp_path: Path) -> None:
    compressed = runs[1].path
    code = run_command(
        [
            "run",
            str(compressed / "scenario.yaml"),
            "--replay",
            str(compressed / "soak_small.jsonl.zst"),
            "--out",
            str(tmp_path / "again"),
        ]
    )
    assert code in {0, 3, 5}
    assert run_command(["verify", str(tmp_path / "again")]) == 0
