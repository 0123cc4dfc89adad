"""Calls to a queue that someone else wrote: what they answer is checked, and none of them hangs the runner."""

import threading
from collections import Counter
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import broken_queues as queues
import pytest
from broken_queues import EXAMPLES
from memory_queue import MemoryQueue
from thread_system import ThreadSystem

from soak.contract import Accepted, BusyError, Claim, Expired, Queue, QueueSettings, Retry, Snapshot
from soak.runner.targets.answers import flaw, flaw_in_items
from soak.runner.targets.caller import ContractError, SlowError
from soak.runner.targets.queue.checks import settings_for_checks
from soak.runner.targets.queue.queue_adapter.caller import QueueCaller
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.language.load import load
from soak.simulation.plan import Plan
from soak.testing import check_class


def caller(kind: type[Queue], tmp_path: Path, patience_s: float = 5.0) -> QueueCaller:
    """A queue that is called with care."""
    return QueueCaller(kind, QueueSettings(**settings_for_checks(tmp_path, 60.0, 8)), patience_s)


@pytest.mark.parametrize(
    ("answer", "types", "wrong"),
    [
        (True, (bool,), ""),
        (1, (bool,), "returned int 1, not bool"),
        (None, (bool,), "returned None, not bool"),
        (Accepted("x"), (Accepted,), ""),
        (Accepted(True), (Accepted,), "returned Accepted.task_id = bool True, not int or str"),
        (Claim(1, "a", "b", 0, "w"), (Claim,), "returned Claim.attempt = 0, not a finite number from 1"),
        (Claim(1, "a", "b", 1, "w", receipt=Retry("x")), (Claim,), ""),
        (Claim(1, "a", "b", 1, "w", receipt=-1), (Claim,), ""),
        (Retry(1), (Retry,), ""),
        (Retry(-0.5), (Retry,), "returned Retry.in_s = -0.5, not a finite number from 0"),
        (Retry(float("nan")), (Retry,), "returned Retry.in_s = nan, not a finite number from 0"),
        (Retry(float("inf")), (Retry,), "returned Retry.in_s = inf, not a finite number from 0"),
        (Expired(1, 1, Retry("soon")), (Expired,), "returned Retry.in_s = str 'soon', not float"),
        (Snapshot(pending=1.5), (Snapshot,), "returned Snapshot.pending = float 1.5, not int"),
        ({"pending": 1}, (Snapshot,), "returned dict {'pending': 1}, not Snapshot"),
    ],
)
def test_an_answer_is_checked_to_its_fields(answer: object, types: tuple[type, ...], wrong: str) -> None:
    assert flaw(answer, types) == wrong


def test_a_list_is_checked_to_its_items() -> None:
    assert flaw_in_items([Expired(1, 1, Retry(0))], Expired) == ""
    assert flaw_in_items(None, Expired) == "returned None, not a list of Expired"
    assert flaw_in_items([1], Expired) == "returned int 1, not Expired in its list"


def test_all_calls_come_from_one_thread(tmp_path: Path) -> None:
    seen = set()

    class Noting(MemoryQueue):
        def __init__(self, settings: object) -> None:
            seen.add(threading.get_ident())
            super().__init__(settings)

        def snapshot(self) -> Snapshot:
            seen.add(threading.get_ident())
            return super().snapshot()

        def close(self) -> None:
            seen.add(threading.get_ident())

    queue = caller(Noting, tmp_path)
    queue.snapshot()
    queue.close()
    assert len(seen) == 1
    assert threading.get_ident() not in seen


def test_a_busy_queue_is_not_at_fault(tmp_path: Path) -> None:
    queue = caller(queues.OftenBusy, tmp_path)
    with pytest.raises(BusyError):
        queue.snapshot()
    assert queue.snapshot() == Snapshot()


def test_one_that_hangs_is_named_and_not_asked_again(tmp_path: Path) -> None:
    queue = caller(queues.Hangs, tmp_path, patience_s=0.1)
    queue.enqueue("a", "b")
    with pytest.raises(SlowError, match=r"^Hangs\.claim has not answered for 0\.1 s"):
        queue.claim("w0")
    queue.close()


def test_an_object_that_is_made_too_late_is_closed(tmp_path: Path) -> None:
    made, closed = threading.Event(), threading.Event()

    class Late(MemoryQueue):
        def __init__(self, settings: object) -> None:
            made.wait(5)
            super().__init__(settings)

        def __len__(self) -> int:
            return 0

        def close(self) -> None:
            closed.set()

    with pytest.raises(SlowError, match=r"^Late\(settings\) has not answered for 0\.05 s"):
        caller(Late, tmp_path, patience_s=0.05)
    assert not closed.is_set()
    made.set()
    assert closed.wait(5)


def test_an_object_whose_call_hangs_is_closed_when_that_is_over(tmp_path: Path) -> None:
    over, closed = threading.Event(), threading.Event()

    class Late(MemoryQueue):
        def snapshot(self) -> Snapshot:
            over.wait(5)
            return super().snapshot()

        def close(self) -> None:
            closed.set()

    queue = caller(Late, tmp_path, patience_s=0.05)
    with pytest.raises(SlowError):
        queue.snapshot()
    queue.close()
    assert not closed.is_set()
    over.set()
    assert closed.wait(5)


def test_claims_at_once_wait_for_the_next_call(tmp_path: Path) -> None:
    queue = caller(queues.Locked, tmp_path)
    queue.prepare_claims(["w0", "w1", "w2"])
    assert not queue.claiming
    queue.enqueue("a", "b")
    assert queue.claiming
    answers = queue.claims()
    assert len(answers) == 3
    queue.prepare_claims(["w0", "w1", "w2"])
    assert Counter(map(type, [*answers, *queue.claims()])) == {Claim: 1, type(None): 5}
    queue.close()


def test_claims_that_are_dropped_are_not_made(tmp_path: Path) -> None:
    queue = caller(queues.Locked, tmp_path)
    queue.enqueue("a", "b")
    queue.prepare_claims(["w0", "w1"])
    queue.drop_claims()
    assert (queue.claims(), queue.snapshot().pending) == ([], 1)
    queue.close()


@pytest.mark.parametrize("kind", [MemoryQueue, ThreadSystem])
def test_paths_in_the_settings_are_absolute(kind: type[Queue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[QueueSettings] = []

    class Noting(kind):
        def __init__(self, settings: QueueSettings) -> None:
            seen.append(settings)
            super().__init__(settings)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", ".")
    assert all(each.status == "ok" for each in check_class(Noting, only="is empty"))
    target = (SystemAdapter if kind is ThreadSystem else QueueAdapter)("x:X", Noting)
    Path("run").mkdir()
    target.prepare(Path("run"))
    loaded = load(EXAMPLES / "owned.yaml")
    with closing(target.run(Plan(loaded.scenario))) as blocks:
        next(blocks)
    assert len(seen) == 2
    paths = [
        each
        for settings in seen
        for field in fields(settings)
        if isinstance(each := getattr(settings, field.name), Path)
    ]
    assert len(paths) == (4 if kind is ThreadSystem else 2)
    assert all(path.is_absolute() for path in paths)


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt(), ValueError("of no use")])
def test_whatever_it_raises_is_told(error: BaseException, tmp_path: Path) -> None:
    class Raising(MemoryQueue):
        def recover(self) -> list[Expired]:
            raise error

    with pytest.raises(
        ContractError, match=rf"^Raising\.recover raised {type(error).__name__}: .*test_contract_caller"
    ):
        caller(Raising, tmp_path).recover()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (queues.CannotBeMade, r"CannotBeMade\(settings\) raised TypeError: .*constructed as Class\(settings"),
        (queues.MadeWithoutServer, r"MadeWithoutServer\(settings\) raised ConnectionError: no server"),
    ],
)
def test_one_that_cannot_be_made(kind: type[Queue], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        caller(kind, tmp_path)


def test_errors_are_printed_by_the_command_line() -> None:
    assert issubclass(ContractError, SoakError)
