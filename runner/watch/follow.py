"""Following the event stream of a live run, or replaying that of a finished one."""

import time
from collections.abc import Iterator
from pathlib import Path

from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.task_numbers import task_limit
from soak.runner.evidence.verify import load_stored
from soak.runner.judge.judge import Judge
from soak.runner.watch.claimed import is_worked_on
from soak.runner.watch.state import State, Watched
from soak.runner.watch.steps import Steps
from soak.schemas.errors import UsageError
from soak.schemas.stream.storage import is_stream_name, open_stream
from soak.simulation.plan import Plan

EVERY_S = 1.0
"""Interval between states, in real seconds."""

_LOOK_EVERY_S = 0.5


def newest_run(runs: Path = Path("runs")) -> Path:
    """The run directory under `runs` with the most recently written stream. Raises UsageError if there is none."""
    found = (path for path in runs.glob("*/soak_*") if path.is_file() and is_stream_name(path.name))
    streams = sorted(found, key=lambda path: path.stat().st_mtime)
    if not streams:
        raise UsageError(f"{runs}: contains no run (give a run directory)")
    return streams[-1].parent


def follow(path: Path, replay: float | None = None) -> Iterator[State]:
    """States of the run in `path`, about one a second, until it has ended; see `follow_run`."""
    for _, state in follow_run(path, replay):
        yield state


def follow_run(path: Path, replay: float | None = None, *, in_steps: bool = False) -> Iterator[tuple[Watched, State]]:
    """The run in `path` with its state, about once a second, until it has ended; `replay`: speed-up factor.

    Without `replay`, existing events are read at once and a live run is followed. in_steps: with the series of its steps.
    Raises UsageError or EvidenceError.
    """
    directory = RunDirectory.open(path)
    scenario = load_stored(directory).scenario
    plan = Plan(scenario)
    stream = directory.stream(scenario.name)
    while _begins(stream, directory):
        time.sleep(_LOOK_EVERY_S)
        stream = directory.stream(scenario.name)
    reader = StreamReader(stream, plan.vocabulary, scenario.horizon_s, task_limit(plan))
    judge = Judge.of(scenario, plan.vocabulary, reader.identity)
    judge.with_findings = False
    watched = Watched(judge, reader.identity, steps=Steps(judge, reader.identity) if in_steps else None)
    states = _live(reader, watched) if replay is None else _replayed(reader, watched, replay * reader.identity.speed)
    for state in states:
        yield watched, state


def _begins(stream: Path, directory: RunDirectory) -> bool:
    """Whether a runner has not written the first line of the stream yet."""
    try:
        with open_stream(stream) as file:
            return not file.readline().endswith(b"\n") and is_worked_on(directory) is True
    except FileNotFoundError:
        return is_worked_on(directory) is True
    except OSError:
        return False


def _live(reader: StreamReader, watched: Watched) -> Iterator[State]:
    """The state of a run as it goes on."""
    began, shown_at = time.monotonic(), 0.0
    for block in reader.follow():
        if block is None:
            if watched.ended:
                break
            time.sleep(_LOOK_EVERY_S)
        else:
            watched.observe(block)
        if watched.judge.until_s and time.monotonic() - shown_at >= EVERY_S:
            shown_at = time.monotonic()
            yield watched.state(_eta(watched, reader.identity.speed if shown_at - began > EVERY_S else 0.0))
    watched.finish()
    yield watched.state()


def _eta(watched: Watched, speed: float) -> float | None:
    left_s = watched.judge.scenario.duration_s - watched.judge.until_s
    return max(0.0, left_s) / speed if speed else None


def _replayed(reader: StreamReader, watched: Watched, speed: float) -> Iterator[State]:
    """Scenario time passes `speed` times as fast as real time."""
    began, shown_s = time.monotonic(), 0.0
    for block in reader.blocks():
        rest = block
        while shown_s + EVERY_S * speed < rest.until_s:
            shown_s += EVERY_S * speed
            first, rest = rest.split(shown_s)
            watched.observe(first)
            time.sleep(max(0.0, began + shown_s / speed - time.monotonic()))
            yield watched.state(_eta(watched, speed))
        watched.observe(rest)
    watched.finish()
    yield watched.state()
