"""The workers of a Dask cluster. Imported only for --dask: `distributed` is an extra."""

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from typing import Any

from soak.runner.extras import need
from soak.runner.replications.remote import Parcel, RemoteReply, delivery, order, pack, question, read_reply
from soak.runner.replications.replication import Job, Replication
from soak.runner.replications.software import software
from soak.schemas.errors import SoakError, UsageError, quoted
from soak.schemas.language.model import Scenario

AHEAD = 2
"""Jobs in flight for each thread of a worker: one that it works on and one that waits, so that none is idle."""
_CONNECT_S, _ANSWER_S, _FETCH_S, _CLOSE_S = 10.0, 20.0, 5.0, 5.0
_LOOK_AROUND_S = 2.0
PATIENCE_S = 30.0
"""How long to wait for workers of a cluster that has none."""


def _distributed() -> Any:
    """The library. Raises UsageError when it is not there."""
    need("dask", "--dask")
    import distributed

    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in {"distributed", "tornado"}:
            # Our own errors say what it would log in several lines.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return distributed


def _work() -> Callable[[bytes], tuple[str, bytes | None]]:
    """What workers call. A function in a function travels by value: a scheduler need not have `soak`."""

    def work(content: bytes) -> tuple[str, bytes | None]:
        from distributed import get_worker

        address = str(get_worker().address)
        try:
            from soak.runner.replications.remote import carry_out
        except ImportError:
            return address, None
        return address, carry_out(content)

    return work


class DaskPool:
    """The workers of a cluster. The cluster itself does the job of a lost worker again, on another."""

    def __init__(self, address: str, patience_s: float = PATIENCE_S) -> None:
        self._address, self._patience_s = address, patience_s
        self._distributed = _distributed()
        self._client = self._connect()
        self._work, self._name, self._count = _work(), f"soak-{uuid.uuid4().hex}", 0
        self._futures: set[Any] = set()
        self._parcel: tuple[Scenario, Parcel] | None = None
        self._supplied: set[str] = set()
        self.carried = 0
        self._workers: dict[str, int] = {}
        self._looked = self._seen = time.monotonic()
        try:
            self._check_workers()
        except BaseException:
            self.close()
            raise

    @property
    def in_flight(self) -> int:
        """How many jobs to keep in flight; follows the workers that come and go."""
        return AHEAD * max(1, sum(self._workers.values()))

    def submit(self, job: Job) -> "_Promise":
        """Queue a job. Raises SoakError when the scheduler is gone."""
        if self._parcel is None or self._parcel[0] is not job.scenario:
            self._parcel = job.scenario, pack(job.scenario)
            self._supplied.clear()
        parcel = self._parcel[1]
        self._supply(parcel)
        return _Promise(self, job, parcel)

    def restart(self) -> None:
        """Drop what was in flight: it is submitted again. The cluster restarts its workers itself."""
        self._cancel()

    def close(self) -> None:
        """Leave the cluster; it stays. Jobs that run go on to their end, and their results are dropped."""
        self._cancel()
        with contextlib.suppress(Exception):
            self._client.close(timeout=_CLOSE_S)

    def send_job(self, job: Job, parcel: Parcel, *, whole: bool = False) -> Any:
        """A future of what a worker makes of a job; `whole`: it is sent the scenario, too."""
        self.carried += whole
        return self.send(order(job, parcel, whole=whole))

    def send(self, content: bytes, worker: str | None = None) -> Any:
        """A future of what a worker, or that worker, answers."""
        self._count += 1
        options = {"workers": [worker]} if worker else {}
        with self._losing():
            future = self._client.submit(self._work, content, key=f"{self._name}-{self._count}", pure=False, **options)
        self._futures.add(future)
        return future

    def fetch(self, future: Any, timeout_s: float | None, asked: str) -> RemoteReply:
        """What a worker answered. asked: the software that it is to have.

        Raises TimeoutError, BrokenExecutor or SoakError.
        """
        self._look_around()
        with self._losing():
            self._await(future, timeout_s)
            worker, content = self._result(future)
        self._futures.discard(future)
        if content is None:
            raise SoakError(f"{self._address}: worker {worker} has no soak, or an older one (install {asked} there)")
        answer = read_reply(content)
        if answer.software != asked:
            what = f"{self._address}: worker {worker} has {answer.software}, but here is {asked}"
            raise SoakError(f"{what} (install the same there: another version may give other results)")
        return answer

    def _supply(self, parcel: Parcel) -> None:
        """Send the scenario to those workers that were not yet: jobs of the same time may be sooner, and ask for it."""
        for worker in sorted(self._workers.keys() - self._supplied):
            self._supplied.add(worker)
            self.carried += 1
            self.send(delivery(parcel), worker)

    def _connect(self) -> Any:
        # Held before it is made: one that could not connect would wait for its end, and complain, when it is let go.
        client = self._distributed.Client.__new__(self._distributed.Client)
        problem = [f"no valid answer within {_CONNECT_S:g} s"]

        def connect() -> None:
            try:
                client.__init__(self._address, timeout=_CONNECT_S, set_as_default=False, name="soak")
                problem.clear()
            except Exception as error:
                # Whoever else listens there may send anything, and so lead to any error.
                problem[:] = [_first_line(error)]

        # In a thread, since the library itself waits for ever on a host that takes the connection and says nothing.
        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        thread.join(_CONNECT_S + 2.0)
        if problem:
            client.status = "closed"
            what = f"no Dask scheduler answers at {quoted(self._address)}: {problem[0]}"
            raise UsageError(f"{what} (name one that is up, such as tcp://scheduler:8786)")
        return client

    def _check_workers(self) -> None:
        """Every worker that is there now has our software. Raises UsageError when one has not, or none is there."""
        # A cluster that adapts has no workers until there is work.
        first = self.send(question())
        until = time.monotonic() + self._patience_s
        try:
            while not self._look_around(now=True):
                self._wait_for_workers(until)
            others = [first, *(self.send(question(), worker) for worker in self._workers)]
            for future in others:
                self._ask(future, until)
        except SoakError as error:
            raise UsageError(str(error)) from None

    def _wait_for_workers(self, until: float) -> None:
        if time.monotonic() > until:
            raise self._without_workers()
        time.sleep(0.1)

    def _ask(self, future: Any, until: float) -> None:
        # A worker that is busy with something else is looked at again with its first job.
        with contextlib.suppress(TimeoutError):
            self.fetch(future, max(0.0, until - time.monotonic()), software())

    def _look_around(self, *, now: bool = False) -> bool:
        """Whether there are workers; checked now and then. Raises SoakError when there have been none for long."""
        if now or time.monotonic() - self._looked > _LOOK_AROUND_S:
            with self._losing():
                try:
                    self._workers = self._client.sync(self._client.scheduler.ncores, callback_timeout=_ANSWER_S)
                except TimeoutError:
                    raise self._lost("it no longer answers") from None
            self._looked = time.monotonic()
            if self._workers:
                self._seen = self._looked
            elif self._looked - self._seen > self._patience_s:
                raise self._without_workers()
        return bool(self._workers)

    def _await(self, future: Any, timeout_s: float | None) -> None:
        with self._client.as_current():
            self._distributed.wait(future, timeout=timeout_s)

    def _result(self, future: Any) -> tuple[str, bytes | None]:
        # A result whose worker is gone is made again: that may take long, or for ever, and is looked at again and again.
        try:
            result: tuple[str, bytes | None] = future.result(timeout=_FETCH_S)
        except self._distributed.scheduler.KilledWorker:
            raise BrokenExecutor("workers are killed repeatedly") from None
        return result

    @contextlib.contextmanager
    def _losing(self) -> Iterator[None]:
        """What happens when the scheduler goes. Raises SoakError."""
        if self._client.status != "running":
            raise self._lost("the connection broke")
        try:
            yield
        except TimeoutError:
            raise
        except CancelledError:
            raise self._lost("the connection broke") from None
        except OSError as error:
            raise self._lost(_first_line(error)) from None

    def _lost(self, why: str) -> SoakError:
        return SoakError(f"the Dask scheduler at {self._address} is lost: {why}")

    def _without_workers(self) -> SoakError:
        return SoakError(
            f"the Dask cluster at {self._address} has had no workers for {self._patience_s:g}s (start some)"
        )

    def _cancel(self) -> None:
        futures, self._futures = list(self._futures), set()
        if futures and self._client.status == "running":
            with contextlib.suppress(Exception):
                self._client.cancel(futures, force=True)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


class _Promise:
    """A replication in flight on the cluster."""

    def __init__(self, pool: DaskPool, job: Job, parcel: Parcel) -> None:
        self._pool, self._job, self._parcel = pool, job, parcel
        self._future = pool.send_job(job, parcel)

    def result(self, timeout: float | None = None) -> Replication:
        """Wait for it; raises TimeoutError after `timeout` seconds."""
        answer = self._pool.fetch(self._future, timeout, software(self._parcel.system))
        if answer.missing:
            self._future = self._pool.send_job(self._job, self._parcel, whole=True)
            raise TimeoutError
        assert answer.replication
        return answer.replication
