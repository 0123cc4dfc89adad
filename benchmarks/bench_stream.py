"""The event stream, as ratios measured in turn: `python benchmarks/bench_stream.py`.

Each row is the median of several rounds with the lowest and highest. CPU time of one process; sizes and memory as they are.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import msgspec
from bench import SCENARIO, bare_simpy, cpu_of, own_peak_mb

from soak.runner.evidence import compiled_lines, stream
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.stream import StreamReader, StreamWriter
from soak.runner.evidence.verify import load_stored, recompute
from soak.runner.session import run_loaded
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.storage import COMPRESSED, PLAIN, open_stream
from soak.simulation import blocks
from soak.simulation.plan import Plan

Rows = list[tuple[blocks.Due, list[blocks.Floats], float]]


def without_compiled() -> ExitStack:
    """Context in which NumPy and Python do all."""
    stack = ExitStack()
    stack.enter_context(patch.object(blocks, "compiled", lambda due, pieces, until_s: None))
    stack.enter_context(patch.object(compiled_lines, "_library", lambda: None))
    stack.enter_context(patch.object(stream, "forms_of", lambda vocabulary: None))
    return stack


class Material:
    """One run of the 72h scenario: its rows, blocks and stream."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.rows: Rows = []
        made = blocks.columns_of

        def kept(due: blocks.Due, pieces: Sequence[blocks.Floats], until_s: float) -> blocks.Columns:
            self.rows.append((due, [piece.copy() for piece in pieces], until_s))
            return made(due, pieces, until_s)

        with patch("soak.simulation.recorder.columns_of", kept):
            _, self.directory = run_loaded(load(SCENARIO), Simulation(), out=place / "run", abort=True, notify=False)
        self.stream = self.directory.stream("72h")
        self.plan = Plan(load_stored(self.directory).scenario)
        reader = StreamReader(self.stream, self.plan.vocabulary)
        self.identity: Identity = reader.identity
        self.blocks: list[Block] = list(reader.blocks())
        self.lines = self.stream.read_bytes().splitlines(keepends=True)

    def to_blocks(self) -> None:
        """Rows to columns."""
        for each in self.rows:
            blocks.columns_of(*each)

    def write(self, suffix: str = PLAIN) -> Path:
        """Write the stream."""
        path = self.place / f"again{suffix}"
        path.unlink(missing_ok=True)
        with StreamWriter(path, self.identity, self.plan.vocabulary) as writer:
            for block in self.blocks:
                writer.append(block)
        return path

    def read(self, path: Path | None = None) -> None:
        """Read the stream into blocks."""
        for _ in StreamReader(path or self.stream, self.plan.vocabulary).blocks():
            pass

    def parse(self) -> None:
        """The least that a reader of JSON lines can do: msgspec, line by line, into dicts."""
        decode = msgspec.json.Decoder().decode
        for line in self.lines:
            decode(line)

    def verify(self) -> None:
        """Read and judge."""
        recompute(self.directory)

    def decompress(self, path: Path) -> None:
        """Read all bytes."""
        with open_stream(path) as file:
            while file.read(1 << 20):
                pass


Pair = tuple[str, Callable[[], object], Callable[[], object]]


def pairs(material: Material) -> list[Pair]:
    """What is measured, and over what."""
    compressed = material.write(COMPRESSED)

    def plainly(work: Callable[[], object]) -> Callable[[], object]:
        def slow() -> None:
            with without_compiled():
                work()

        return slow

    write, read, to_blocks = material.write, material.read, material.to_blocks
    return [
        ("blocks over bare SimPy", to_blocks, bare_simpy),
        ("blocks: NumPy over compiled", plainly(to_blocks), to_blocks),
        ("event log over bare SimPy", write, bare_simpy),
        ("event log: NumPy over compiled", plainly(write), write),
        ("event log: zstd over plain", lambda: write(COMPRESSED), write),
        ("reading over a bare parse by msgspec", read, material.parse),
        ("reading: Python over compiled", plainly(read), read),
        ("reading: zstd over plain", lambda: read(compressed), read),
        ("verify (reading and judging) over a bare parse", material.verify, material.parse),
    ]


def row(name: str, ratios: Sequence[float]) -> dict[str, object]:
    """One row of the table."""
    figures = {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    return {"what": name, **{key: round(value, 2) for key, value in figures.items()}}


def rows(rounds: int) -> list[dict[str, object]]:
    """Every row of the table."""
    with tempfile.TemporaryDirectory() as place:
        material = Material(Path(place))
        table = []
        for name, work, base in pairs(material):
            work()
            base()
            table.append(row(name, [cpu_of(work) / cpu_of(base) for _ in range(rounds)]))
        sizes = material.stream.stat().st_size, material.write(COMPRESSED).stat().st_size
        table.append(row("size: plain over zstd", [sizes[0] / sizes[1]]))
        return table


def memory() -> list[dict[str, object]]:
    """Peak memory in MB of reading and judging 720 hours, plain and compressed, over that of 72 hours."""
    with tempfile.TemporaryDirectory() as place:
        made = {}
        for name, settings in {
            "72h": (),
            "720h": ("duration=720h", "seed=14"),
            "720h, zstd": ("duration=720h", "seed=14", "telemetry.compress=zstd"),
        }.items():
            out = Path(place, name.replace(", ", "-"))
            run_loaded(load(SCENARIO, settings=settings), Simulation(), out=out, abort=True, notify=False)
            command = [sys.executable, __file__, "--verify", str(out)]
            made[name] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return [{"what": f"verify: peak memory of {name}, MB", "ratio": round(mb, 1)} for name, mb in made.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", action="store_true", help="peak memory over 720 hours, in place of the ratios")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verify", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.verify:
        recompute(RunDirectory.open(arguments.verify))
        print(own_peak_mb())
        return
    table = memory() if arguments.memory else rows(arguments.rounds)
    if arguments.json:
        print(json.dumps(table, indent=2))
        return
    for each in table:
        figures = " ".join(f"{each.get(key, ''):>7}" for key in ("ratio", "low", "high"))
        print(f"{each['what']:60} {figures}")


if __name__ == "__main__":
    main()
