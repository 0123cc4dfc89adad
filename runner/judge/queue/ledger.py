"""The execution ledger: what was actually executed, independent of what the system under test reports."""

from collections.abc import Sequence

import numpy as np

from soak.runner.judge.groups import Groups
from soak.runner.judge.queue.duplicates import Duplicates, again_at
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.table import Table
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import COPY, Kind

_FOLLOWED = kind_flags(Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED, Kind.TASK_DONE)


def duplicate_executions(block: Block, table: Table, duplicates: Duplicates, facts: Facts) -> Samples:
    """An observation for each execution: 1 if it starts while another of its key runs, or after the key was DONE.

    Copies of a task share its key. `table` is as it was before the block; it learns how many executions of each key run,
    and which keys are DONE, permanently. Each that is one too many is noted by `duplicates`.
    """
    places = np.flatnonzero(_FOLLOWED[block.kind])
    if not len(places):
        _tell(duplicates, block, (), places, places, table, facts)
        table.put_done(places)
        facts.series.update(duplicates.by_cause(samples := Samples(block.t[places], block.t[places])))
        return samples
    key, kind = block.task[places] & ~COPY, block.kind[places]
    lowest = int(key.min())
    width = int(key.max()) - lowest + 1
    started, ended = kind == Kind.EXECUTION_STARTED, kind == Kind.EXECUTION_ENDED
    starts = np.bincount(key[started] - lowest, minlength=width)
    ends = np.bincount(key[ended] - lowest, minlength=width)
    keys = lowest + np.flatnonzero(starts + ends)
    running = table.get("running", keys)
    still = np.maximum(running + starts[keys - lowest] - ends[keys - lowest], 0)
    # Only a key that starts twice, or although it runs or is done, or ends before it starts, needs a closer look: most do not.
    doubtful = np.zeros(width, dtype=np.bool_)
    doubtful[keys - lowest] = starts[keys - lowest] + running + table.was_done(keys) > 1
    doubtful |= _starts_after(kind == Kind.TASK_DONE, key - lowest, started, width)
    doubtful[keys - lowest] |= _ends_first(key - lowest, started, ended, width)[keys - lowest] & (running == 0)
    again, walked = _looked_closer(block, places[doubtful[key - lowest]], table)
    still[np.searchsorted(keys, list(walked))] = list(walked.values())
    lasting = started & _among(keys[still > 0] - lowest, width)[key - lowest]
    _tell(duplicates, block, again, keys, places[lasting], table, facts)
    table.put("running", keys, still)
    table.put_done(key[kind == Kind.TASK_DONE])
    flags = np.zeros(len(block))
    flags[np.asarray(again, dtype=np.int64)] = 1.0
    at = places[started]
    samples = Samples(block.t[at], flags[at], label=table.labels_at(block, at))
    facts.series.update(duplicates.by_cause(samples))
    return samples


def _tell(
    duplicates: Duplicates,
    block: Block,
    again: Sequence[int] | Ints,
    keys: Ints,
    starts: Ints,
    table: Table,
    facts: Facts,
) -> None:
    """Tell of executions that are one too many. keys: those with executions in the block. starts: see `Duplicates.observe`."""
    if duplicates.are_asked(facts):
        places = np.sort(np.asarray(again, dtype=np.int64))
        duplicates.observe(block, again_at(block, places, table), lambda known: np.isin(known, keys), starts, facts)


def _looked_closer(block: Block, places: Ints, table: Table) -> tuple[Sequence[int] | Ints, dict[int, int]]:
    """Of events of doubtful keys: where a start is one too many; and by key what runs then, where counting does not tell."""
    if not len(places):
        return (), {}
    again, odd = _starts_again(block, Groups(places, block.task[places] & ~COPY), table)
    return _walk(block, places, table) if odd else (again, {})


def _among(numbers: Ints, width: int) -> Bools:
    """By number, whether it is one of these."""
    among = np.zeros(width, dtype=np.bool_)
    among[numbers] = True
    return among


def _ends_first(key: Ints, started: Bools, ended: Bools, width: int) -> Bools:
    """By key, whether its first start or end in the block is an end."""
    # The last write to an index wins: that of the first start or end of a key.
    ends_first, ledger = np.zeros(width, dtype=np.bool_), np.flatnonzero(started | ended)[::-1]
    ends_first[key[ledger]] = ended[ledger]
    return ends_first


def _starts_after(event: Bools, key: Ints, started: Bools, width: int) -> Bools:
    """By key, whether its last start in the block comes after the first such event of it there."""
    last_start, first_event = np.full(width, -1), np.full(width, len(key))
    start, places = np.flatnonzero(started), np.flatnonzero(event)[::-1]
    last_start[key[start]] = start
    first_event[key[places]] = places
    after: Bools = last_start > first_event
    return after


def _starts_again(block: Block, groups: Groups, table: Table) -> tuple[Ints, bool]:
    """The ledger's events by key: where a start is one too many; and whether there are ends of which no start is known."""
    kind = block.kind[groups.rows]
    started = kind == Kind.EXECUTION_STARTED
    step = started.astype(np.int64) - (kind == Kind.EXECUTION_ENDED)
    running = groups.running(step) + table.get("running", groups.key)
    done = groups.running((kind == Kind.TASK_DONE).astype(np.int64)) + table.was_done(groups.key)
    return groups.rows[started & ((running > 1) | (done > 0))], bool((running < 0).any())


def _walk(block: Block, places: Ints, table: Table) -> tuple[list[int], dict[int, int]]:
    """The ledger's events at `places` one by one: where a start is one too many, and how many executions of each key run then.

    An end of which no start is known (it was lost) leaves nothing running.
    """
    keys = block.task[places] & ~COPY
    running = dict(zip(keys.tolist(), table.get("running", keys).astype(np.int64).tolist(), strict=True))
    done = set(keys[table.was_done(keys)].tolist())
    again: list[int] = []
    changed: set[int] = set()
    for place, key, kind in zip(places.tolist(), keys.tolist(), block.kind[places].tolist(), strict=True):
        if kind == Kind.EXECUTION_STARTED:
            if running[key] or key in done:
                again.append(place)
            running[key] += 1
            changed.add(key)
        elif kind == Kind.EXECUTION_ENDED:
            running[key] = max(0, running[key] - 1)
            changed.add(key)
        else:
            done.add(key)
    return again, {key: running[key] for key in sorted(changed)}
