"""The gateway's processes: how they end, how they come back, and what happens when a server of theirs goes away."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gateway_servers import Gateway, Postgres, Redis, alive, gateway, postgres, redis
from servers import until


def ended(pids: list[int], within_s: float = 20) -> bool:
    return bool(until(lambda: not any(map(alive, pids)), within_s))


def test_asked_to_stop_it_answers_what_it_has_and_empties_the_outbox(tmp_path: Path) -> None:
    import sqlite3
    import threading

    with gateway(tmp_path, store_ms=300, outbox_rate=20) as served:
        served.many(40)
        answers: list[int] = []
        pool = [threading.Thread(target=lambda: answers.append(served.execute("A").status_code)) for _ in range(6)]
        for thread in pool:
            thread.start()
        until(lambda: served.metric("pool_in_use") >= 2)
        served.process.send_signal(signal.SIGTERM)
        for thread in pool:
            thread.join(20)
        assert answers == [200] * 6
        assert (served.process.wait(20), ended(served.pids())) == (0, True)
    store = sqlite3.connect(tmp_path / "gateway.db")
    assert store.execute("SELECT (SELECT count(*) FROM usage), (SELECT count(*) FROM outbox)").fetchone() == (46, 0)
    assert store.execute("SELECT DISTINCT state FROM executions").fetchall() == [("completed",)]
    store.close()


def test_when_the_parent_is_killed_all_end(tmp_path: Path) -> None:
    with gateway(tmp_path) as served:
        pids = served.pids()
        assert len(pids) == 5 - 1
        served.process.kill()
        assert ended(pids)
    with gateway(tmp_path) as served:  # and it starts again in the same directory
        assert served.execute("A").status_code == 200


def test_what_dies_is_started_again(tmp_path: Path) -> None:
    with gateway(tmp_path) as served:
        served.many(10)
        for name in ("http-0", "outbox"):
            before = served.pid(name)
            os.kill(before, signal.SIGKILL)
            until(lambda name=name, before=before: served.pid(name) != before)  # type: ignore[misc]
        until(lambda: _answers(served) == {200})
        assert served.settled()["gap"] == 0
        assert served.asked("A", "/audit/verify")["violations"] == 0
        assert len((tmp_path / "restarts.jsonl").read_text().splitlines()) == 2


def _answers(served: Gateway) -> set[int]:
    """Of connections of their own, which go to any process."""
    found = set()
    for _ in range(8):
        try:
            found.add(httpx.get(f"{served.url}/usage", headers=served.headers("A"), timeout=10).status_code)
        except httpx.HTTPError:
            found.add(0)
    return found


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, Redis, Gateway]]:
    directory = tmp_path_factory.mktemp("gateway")
    with postgres() as store, redis(directory) as locks:
        settings = {"lock_within_s": 0.5, "connection_within_s": 2}
        with gateway(directory, database=store.url, redis=locks.url, **settings) as served:
            yield store, locks, served


def test_without_redis_nothing_is_appended_and_limits_still_hold(stores: tuple[Postgres, Redis, Gateway]) -> None:
    _, locks, served = stores
    served.many(10)
    locks.stop(signal.SIGKILL)
    refused = served.execute("A")
    assert (refused.status_code, refused.json(), refused.headers["retry-after"]) == (
        503,
        {"error": "the chain is locked"},
        "1",
    )
    assert served.asked("A", "/usage")["executions"] == 10
    locks.start()
    assert served.execute("A").status_code == 200
    found = served.asked("A", "/audit/verify")
    assert (found["rows_verified"], found["violations"]) == (11, 0)


def test_without_its_database_it_fails_in_words_and_comes_back(stores: tuple[Postgres, Redis, Gateway]) -> None:
    store, _, served = stores
    before = served.settled()
    store.stop()
    begun_s = time.monotonic()
    refused = served.execute("A")
    assert (refused.status_code, refused.json()) == (503, {"error": "the store is not available"})
    assert time.monotonic() - begun_s < 30
    assert served.client.get("/health").status_code == 503
    store.start()
    until(lambda: _answers(served) == {200})
    served.many(20)
    assert served.settled() == {**before, "audit": before["audit"] + 20, "usage": before["usage"] + 20}
    assert served.asked("A", "/audit/verify")["violations"] == 0
    assert "Traceback" not in served.logged()


@pytest.mark.parametrize("servers", ["sqlite", "postgres", "postgres and redis"])
def test_fifty_agents_of_one_tenant_at_once(
    servers: str, stores: tuple[Postgres, Redis, Gateway], tmp_path: Path
) -> None:
    store, locks, _ = stores
    database = store.url if "postgres" in servers else ""
    with gateway(tmp_path, database=database, redis=locks.url if "redis" in servers else "") as served:
        before = served.asked("B", "/audit/verify"), served.asked("B", "/executions/edges")
        root = served.execute("B", timeline="fan-out").json()["execution"]

        def agent() -> list[int]:
            parent, found = root, []
            for _ in range(4):
                answer = served.execute("B", timeline="fan-out", parent=parent)
                found.append(answer.status_code)
                parent = answer.json()["execution"]
            return found

        assert served.at_once([agent] * 50) == [[200] * 4] * 50
        rows = before[0]["rows_written"] + 201
        found = {"tenant": "B", "rows_written": rows, "rows_verified": rows, "violations": 0}
        assert served.asked("B", "/audit/verify") == found
        edges = before[1]["expected"] + 200
        assert served.asked("B", "/executions/edges") == {"tenant": "B", "expected": edges, "found": edges, "lost": 0}
        assert served.settled("B")["gap"] == 0
        assert served.asked("B", "/timelines/fan-out")["in_progress"] == 0
        assert served.asked("B", "/timelines/stuck?older=0")["stuck"] == 0
