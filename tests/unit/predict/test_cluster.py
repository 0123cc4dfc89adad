"""Replications on a real Dask cluster: the same to the last bit, and a clear error for everything that goes wrong with it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from predictions import loaded_scenario, predicted
from servers import free_port, until
from test_worker_pool import files, lines, started

from soak.runner.cli import run_command
from soak.runner.replications.processes import ProcessPool
from soak.runner.replications.remote import RemoteReply, carry_out, delivery, order, pack, question, read_reply
from soak.runner.replications.replication import Job, jobs, replicate
from soak.runner.replications.software import software
from soak.schemas.errors import SoakError, UsageError

pytest.importorskip("distributed")
import distributed

from soak.runner.replications import cluster, remote
from soak.runner.replications.cluster import DaskPool

ROOT = Path(__file__).resolve().parents[3]
NO_SOAK = "import sys; sys.modules['soak'] = None; "
OTHER_SOAK = "import soak.runner.replications.remote as r; r.software = lambda *_: 'soak 9.9'; "
PLAIN = ""


class Ensemble:
    """A scheduler, and workers for a time, each a process of its own."""

    def __init__(self, place: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._place, self._count = place, 0
        port = self.address.rpartition(":")[2]
        self.scheduler, log = self._start("scheduler", "", "--host", "127.0.0.1", "--port", port)
        until(lambda: b"Scheduler at:" in log.read_bytes())

    @contextmanager
    def workers(self, *before: str) -> "Iterator[list[subprocess.Popen[bytes]]]":
        """A worker for each of `before`, which it does first."""
        words = ("--no-nanny", "--nthreads", "2", "--local-directory", str(self._place))
        started = [self._start("worker", each, self.address, *words) for each in before]
        try:
            for _, log in started:
                until(lambda log=log: b"Registered to:" in log.read_bytes())
            yield [process for process, _ in started]
        finally:
            for process, _ in started:
                end(process)

    def _start(self, kind: str, before: str, *words: str) -> "tuple[subprocess.Popen[bytes], Path]":
        code = f"{before}from distributed.cli.dask_{kind} import main; main()"
        self._count += 1
        log = self._place / f"{self._count}.log"
        command = [sys.executable, "-c", code, *words, "--no-dashboard"]
        with log.open("wb") as told:
            return subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=subprocess.STDOUT), log


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that may have ended."""
    process.kill()
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    found = Ensemble(tmp_path_factory.mktemp("dask"))
    yield found
    end(found.scheduler)


class Killing(DaskPool):
    """A pool that kills a worker when its eighth job comes in."""

    def __init__(self, address: str, victim: int) -> None:
        self.jobs, self.victim = 0, victim
        super().__init__(address)

    def submit(self, job: Job) -> "cluster._Promise":
        self.jobs += 1
        if self.jobs == 8:
            os.kill(self.victim, signal.SIGKILL)
        return super().submit(job)


def test_a_cluster_gives_the_same_also_when_a_worker_is_killed(tmp_path: Path, dask: Ensemble) -> None:
    _, local, _ = predicted(tmp_path, replications=30, open_pool=lambda: ProcessPool(1))
    with dask.workers(PLAIN, PLAIN) as (victim, survivor):
        pool = Killing(dask.address, victim.pid)
        _, there, _ = predicted(tmp_path, replications=30, open_pool=lambda: pool)
        assert victim.wait(timeout=30) == -signal.SIGKILL
        assert survivor.poll() is None
    assert files(there) == files(local)


@pytest.mark.parametrize(
    ("before", "told"),
    [(OTHER_SOAK, "has soak 9.9, but here is soak "), (NO_SOAK, "has no soak, or an older one (inst")],
)
def test_workers_with_other_software_are_told(
    tmp_path: Path, dask: Ensemble, capsys: pytest.CaptureFixture[str], before: str, told: str
) -> None:
    path = str(loaded_scenario(tmp_path).source)
    with dask.workers(before):
        assert run_command(["predict", path, "--dask", dask.address, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert software() in said
    assert not (tmp_path / "out").exists()


def test_a_worker_with_other_software_that_comes_late_ends_it(tmp_path: Path, dask: Ensemble) -> None:
    with dask.workers(PLAIN) as (good,):
        pool = Killing(dask.address, good.pid)
        with (
            dask.workers(OTHER_SOAK),
            pytest.raises(SoakError, match=r"has soak 9\.9, but here is .* replication") as raised,
        ):
            predicted(tmp_path, replications=30, open_pool=lambda: pool)
    assert raised.value.exit_code == 1


def test_a_cluster_without_workers_is_told_at_the_start_and_on_the_way(tmp_path: Path, dask: Ensemble) -> None:
    with pytest.raises(UsageError, match=r"has had no workers for 0.5s"):
        DaskPool(dask.address, 0.5)

    with dask.workers(PLAIN) as (worker,):

        def losing() -> Killing:
            pool = Killing(dask.address, worker.pid)
            pool._patience_s = 0.5
            return pool

        with pytest.raises(
            SoakError, match=r"no workers for 0.5s .*; the [1-9] replications made before that are kept"
        ):
            predicted(tmp_path, replications=30, open_pool=losing)


def test_a_scheduler_that_dies_leaves_what_was_made(tmp_path: Path) -> None:
    own = Ensemble(tmp_path)
    try:
        with own.workers(PLAIN), started(tmp_path, "--dask", own.address) as (process, out):
            until(lambda: lines(out) >= 2)
            end(own.scheduler)
            told, said = process.communicate(timeout=60)
    finally:
        end(own.scheduler)
    assert process.returncode == 1, said
    assert f"the Dask scheduler at {own.address} is lost" in said
    assert f"replications made before that are kept in {out}" in said
    assert ".py" not in said
    assert not told
    assert '"stopped": "broken off"' in (out / "prediction.json").read_text()


def test_who_is_no_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:1': "):
        DaskPool("tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at 'nonsense': "):
        DaskPool("nonsense")
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(UsageError, match=r"no valid answer within"),
    ):
        DaskPool(f"tcp://127.0.0.1:{mute.getsockname()[1]}")


def test_processes_and_a_cluster_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(loaded_scenario(tmp_path).source)
    assert run_command(["predict", path, "--jobs", "2", "--dask", "tcp://127.0.0.1:1"]) == 2
    assert "--jobs and --dask exclude each other" in capsys.readouterr().err


def test_what_travels_gives_the_same(tmp_path: Path) -> None:
    first, second = islice(jobs(loaded_scenario(tmp_path).scenario, 3, detailed=True), 2)
    parcel = pack(first.scenario)
    assert len(order(first, parcel)) < 300
    assert read_reply(carry_out(order(first, parcel))) == RemoteReply(software(), missing=True)
    assert read_reply(carry_out(order(first, parcel, whole=True))).replication == replicate(first)
    assert read_reply(carry_out(order(second, parcel))).replication == replicate(second)
    assert read_reply(carry_out(question())) == RemoteReply(software())


def test_scenarios_of_several_users_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "kept", remote._KeptScenarios(2))
    variants = [
        loaded_scenario(tmp_path, settings=(f"queue.workers={workers}", "duration=5m")).scenario
        for workers in (1, 2, 3)
    ]
    one, two, three = [(Job(0, 3, each), pack(each)) for each in variants]
    for job, parcel in (one, two):
        assert read_reply(carry_out(delivery(parcel))) == RemoteReply(software())
        assert read_reply(carry_out(order(job, parcel))).replication == replicate(job)
    assert read_reply(carry_out(order(*one))).replication == replicate(one[0])
    # A third one takes the place of that which nobody asked for for longest.
    assert read_reply(carry_out(order(*three, whole=True))).replication == replicate(three[0])
    assert [read_reply(carry_out(order(*each))).missing for each in (one, two, three)] == [False, True, False]
    assert remote.kept.unpacked == 3


def test_a_worker_makes_nothing_with_other_software(tmp_path: Path) -> None:
    job = next(jobs(loaded_scenario(tmp_path).scenario, 3))
    sent = order(job, pack(job.scenario), whole=True).replace(b"soak 0.", b"soak 9.")
    assert read_reply(carry_out(sent)) == RemoteReply(software())


# Scenarios travel once, and whoever stops leaves nothing on the cluster.


def told_apart(address: str) -> tuple[list[int], int]:
    """How often each worker unpacked a scenario, and how many tasks the scheduler knows, but for those of this question."""
    with distributed.Client(address, set_as_default=False) as client:
        unpacked = client.run(lambda: sys.modules["soak.runner.replications.remote"].kept.unpacked)
        tasks = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
    return list(unpacked.values()), tasks


def test_a_scenario_is_sent_once_to_each_worker(tmp_path: Path, dask: Ensemble) -> None:
    pools: list[Counting] = []

    def counting() -> Counting:
        pools.append(Counting(dask.address))
        return pools[-1]

    with dask.workers(PLAIN, PLAIN):
        for settings in ((), ("queue.workers=4",)):
            predicted(
                tmp_path, replications=12, open_pool=counting, loaded=loaded_scenario(tmp_path, settings=settings)
            )
        assert told_apart(dask.address) == ([2, 2], 0)
    for pool in pools:
        # Two workers with two threads each, of which one may be sooner with a job than the other with the scenario.
        assert 2 <= pool.carried <= 4
        assert sum(size > 1000 for size in pool.sizes) == pool.carried
        assert sum(pool.sizes) < 12 * 300 + 4 * 4000


class Counting(DaskPool):
    """A pool that notes how much it sends."""

    def __init__(self, address: str) -> None:
        self.sizes: list[int] = []
        super().__init__(address)

    def send(self, content: bytes, worker: str | None = None) -> object:
        self.sizes.append(len(content))
        return super().send(content, worker)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_who_is_stopped_leaves_nothing_on_the_cluster(tmp_path: Path, dask: Ensemble, number: signal.Signals) -> None:
    with dask.workers(PLAIN), started(tmp_path, "--dask", dask.address) as (process, out):
        until(lambda: lines(out) >= 2)
        process.send_signal(number)
        told, said = process.communicate(timeout=30)
        assert process.returncode == (-number if number is signal.SIGKILL else 130), said
        until(lambda: told_apart(dask.address)[1] == 0)
    assert ("Interrupted after" in told) == (number is not signal.SIGKILL)
    assert 2 <= lines(out) < 400
