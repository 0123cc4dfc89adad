"""What a worker does with the end of a body, and with a database that is busy just then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
from ensemble import added, got, types

from soak.systems.orchestrator.body import Body, BodyNameError, PermanentError, Result, TransientError, load_body
from soak.systems.orchestrator.db_store import BusyError, Store
from soak.systems.orchestrator.model import Task, TaskState
from soak.systems.orchestrator.worker import Worker


class Calm:
    """A lifetime without end, and a heart that does not beat."""

    over = False

    def __init__(self) -> None:
        self.waits = 0

    def wait(self, _timeout_s: float) -> None:
        self.waits += 1

    def bounded(self) -> nullcontext[None]:
        return nullcontext()

    @contextmanager
    def beating(self, _task: Task) -> Iterator[None]:
        yield


def raising(error: Exception) -> Body:
    def body(_task: Task, _worker: str) -> Result:
        raise error

    return body


def done(_task: Task, _worker: str) -> Result:
    return Result(5, "done")


def worked(store: Store, body: Body, calm: Calm | None = None) -> Task:
    added(store)
    store.register_worker("w0", 10)
    store.assign("d0")
    calm = calm or Calm()
    assert Worker(store, "w0", body, calm, calm).step()  # type: ignore[arg-type]
    assert not store.is_busy("w0")
    return got(store, 1)


@pytest.mark.parametrize(
    ("body", "state", "error"),
    [
        (done, TaskState.DONE, ""),
        (lambda _task, _worker: Result(101), TaskState.BLOCKED, "guardrail_exceed"),
        (raising(TransientError("timeout")), TaskState.PENDING, "timeout"),
        (raising(PermanentError("broken")), TaskState.FAILED, "broken"),
        (raising(KeyError("x")), TaskState.PENDING, "KeyError"),
        (lambda _task, _worker: None, TaskState.PENDING, "TypeError"),
    ],
)
def test_how_a_body_ends_is_recorded(store: Store, body: Body, state: TaskState, error: str) -> None:
    task = worked(store, body)
    assert (task.state, task.error, task.attempt) == (state, error, 1)


def test_without_a_task_nothing_is_done(store: Store) -> None:
    store.register_worker("w0", 10)
    assert not Worker(store, "w0", done, Calm(), Calm()).step()  # type: ignore[arg-type]


def busy_times(store: Store, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The database is busy at the next `times` state writes."""
    left = times

    def sometimes(write: Callable[..., bool]) -> Callable[..., bool]:
        def called(*args: object, **options: object) -> bool:
            nonlocal left
            left -= 1
            if left >= 0:
                raise BusyError("busy")
            return write(*args, **options)

        return called

    for name in ("complete", "fail", "block"):
        monkeypatch.setattr(store, name, sometimes(getattr(store, name)))


def test_a_busy_database_is_a_transient_failure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    busy_times(store, monkeypatch, 1)
    task = worked(store, done)
    assert (task.state, task.error) == (TaskState.PENDING, "db_busy")


@pytest.mark.parametrize("times", [2, 3, 10])
def test_a_result_is_kept_while_the_database_is_away(store: Store, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    busy_times(store, monkeypatch, times)
    calm = Calm()
    task = worked(store, done, calm)
    assert (task.state, task.tokens) == (TaskState.DONE, 5)
    assert calm.waits == times - 1


def test_a_refused_result_changes_nothing(store: Store) -> None:
    def lost(_task: Task, _worker: str) -> Result:
        store.cancel(1)
        return Result()

    assert worked(store, lost).state is TaskState.CANCELLED
    assert types(store)[-1] == "refused"


@pytest.mark.parametrize(
    "name", ["nothing", "no.such:body", "soak.systems.orchestrator.body:none", "json:__doc__", ":x"]
)
def test_a_body_must_be_there(name: str) -> None:
    with pytest.raises(BodyNameError, match=name):
        load_body(name)


@pytest.mark.parametrize(
    ("payload", "error"),
    [('{"error": "timeout"}', TransientError), ("[]", PermanentError), ('{"sleep_s": "x"}', PermanentError)],
)
def test_the_body_for_people_does_as_the_payload_says(store: Store, payload: str, error: type[Exception]) -> None:
    task = got(store, added(store, "a", payload))
    with pytest.raises(error):
        load_body("soak.systems.orchestrator.body:sleep")(task, "w0")
