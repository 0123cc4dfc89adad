"""Each planted defect shows in what the gateway answers, and nothing of it without the defect."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from gateway_servers import ADMIN, Gateway, Redis, gateway, redis
from servers import until

from soak.systems.gateway.defects import Defect

Probe = Callable[[Gateway], bool]
"""Whether what a tenant is answered is wrong."""


def chain_is_forked(served: Gateway) -> bool:
    answers = served.many(80, "A", 16)
    assert {answer.status_code for answer in answers} == {200}
    found = served.asked("A", "/audit/verify")
    assert found["rows_verified"] == found["rows_written"]
    return int(found["violations"]) > 0


def rows_are_left_out(served: Gateway) -> bool:
    served.many(110, "B")
    found = served.asked("B", "/audit/verify")
    return int(found["rows_verified"]) < int(found["rows_written"])


def usage_is_lost(served: Gateway) -> bool:
    served.many(60, "C")
    return served.settled("C")["gap"] != 0


def a_timeline_is_stuck(served: Gateway) -> bool:
    served.many(60, "C")
    served.settled("C")
    return served.asked("C", "/timelines/stuck?older=0")["stuck"] != 0


def a_root_is_missing(served: Gateway) -> bool:
    served.execute("D")
    served.client.post("/clock", headers=ADMIN, json={"offset": 86_400})
    try:
        served.client.post("/roots/seal", headers=served.headers("D"))
        found = served.asked("D", "/roots")
        assert found["sealed"] + found["missing"] == 1
        return bool(found["missing"])
    finally:
        served.client.post("/clock", headers=ADMIN, json={"offset": 0})


def another_tenant_sees_it(served: Gateway) -> bool:
    name = next(each["execution"] for each in served.asked("C", "/executions?limit=1")["executions"])
    return served.get("E", f"/executions/{name}").status_code == 200


def a_quiet_tenant_is_throttled(served: Gateway) -> bool:
    limits = "/tenants/A/limits"
    served.client.put(limits, headers=ADMIN, json={"rate": 0.01, "burst": 3})
    try:
        assert {answer.status_code for answer in served.many(10, "A")} == {200, 429}
        return served.execute("E").status_code == 429
    finally:
        served.client.put(limits, headers=ADMIN, json={"rate": None})


def an_attack_is_allowed(served: Gateway) -> bool:
    answers = served.many(40, "E", tool="drop_table")
    return {answer.status_code for answer in answers} != {403}


def a_token_ends_early(served: Gateway) -> bool:
    given = served.login("E")
    time.sleep(2.1)
    renewed = served.client.post("/token/refresh", json={"refresh_token": given["refresh_token"]}).json()
    tokens = (given["token"], renewed["token"])
    answers = [served.client.get("/usage", headers={"Authorization": f"Bearer {token}"}) for token in tokens]
    codes = {answer.status_code for answer in answers}
    assert codes in ({200}, {401})
    return codes == {401}


def connections_are_kept(served: Gateway) -> bool:
    served.at_once([lambda: served.get("E", "/usage")] * 400, 16)
    return served.metric("pool_in_use") > 0


def memory_grows(served: Gateway) -> bool:
    before = served.metric("resident_memory_bytes")
    served.at_once([lambda: served.get("E", "/usage")] * 600, 16)
    return served.metric("resident_memory_bytes") - before > 8e6


def more_rows_are_read_than_shown(served: Gateway) -> bool:
    before = served.metric("rows_read_total")
    served.asked("E", "/executions?limit=1")
    return served.metric("rows_read_total") - before > 1


def a_success_is_none(served: Gateway) -> bool:
    answers = served.many(60, "E")
    assert {answer.status_code for answer in answers} == {200}
    return any(answer.json().get("status") == 504 for answer in answers)


def a_quiet_tenant_waits_for_all_others(served: Gateway) -> bool:
    """With as many requests of A as a minute of one connection: how many of them were answered before one of B."""
    served.headers("A"), served.headers("B")
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(served.execute("A").status_code)) for _ in range(24)]
    for thread in threads:
        thread.start()
    until(lambda: served.metric("pool_waiting") >= 16)
    assert served.execute("B").status_code == 200
    before = len(done)
    for thread in threads:
        thread.join()
    assert done == [200] * 24
    return before > 12


PROBES: Mapping[Defect, Probe] = {
    Defect.OUTBOX_DROPS: usage_is_lost,
    Defect.TIMELINE_STUCK: a_timeline_is_stuck,
    Defect.VERIFY_FIRST_ROWS: rows_are_left_out,
    Defect.ROOT_LATE: a_root_is_missing,
    Defect.CROSS_TENANT: another_tenant_sees_it,
    Defect.QUIET_THROTTLED: a_quiet_tenant_is_throttled,
    Defect.DENIED_ALLOWED: an_attack_is_allowed,
    Defect.TOKEN_NOT_RENEWED: a_token_ends_early,
    Defect.POOL_LEAK: connections_are_kept,
    Defect.SLOW_QUERY: more_rows_are_read_than_shown,
    Defect.ERROR_AS_SUCCESS: a_success_is_none,
    Defect.MEMORY_GROWTH: memory_grows,
}
"""Those that one gateway can have together. The last looks for growth in processes that have answered much before."""

ALONE: Mapping[Defect, Probe] = {
    Defect.CHAIN_FORK: chain_is_forked,
    Defect.LOCK_NOT_OWNED: chain_is_forked,
    Defect.LOCK_GIVEN_UP: chain_is_forked,
    Defect.ONE_POOL: a_quiet_tenant_waits_for_all_others,
}
SLOW = {"connections": 4, "store_ms": 150.0, "workers": 1, "connection_within_s": 20}


def test_every_defect_has_a_probe() -> None:
    assert set(PROBES) | set(ALONE) == set(Defect)


@pytest.fixture(scope="module", params=["planted", "clean"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, bool]]:
    planted = request.param == "planted"
    directory = tmp_path_factory.mktemp("gateway")
    with gateway(directory, *(PROBES if planted else ()), connections=40, rate=1e5) as found:
        if planted:  # tokens end early
            found.headers = lambda tenant: {"Authorization": f"Bearer {found.login(tenant)['token']}"}  # type: ignore[method-assign]
        yield found, planted


@pytest.mark.parametrize("defect", PROBES)
def test_a_defect_shows_and_only_then(served: tuple[Gateway, bool], defect: Defect) -> None:
    found, planted = served
    assert PROBES[defect](found) == planted


@pytest.mark.parametrize("planted", [True, False])
def test_one_pool_shows_and_only_then(planted: bool, tmp_path: Path) -> None:
    with gateway(tmp_path, *([Defect.ONE_POOL] if planted else []), **SLOW) as found:  # type: ignore[arg-type]
        assert ALONE[Defect.ONE_POOL](found) == planted


def test_it_shows_in_settings_that_are_unfair(tmp_path: Path) -> None:
    with gateway(tmp_path, fair=False, **SLOW) as found:  # type: ignore[arg-type]
        assert ALONE[Defect.ONE_POOL](found)


def test_a_tenant_holds_as_many_connections_as_it_may(tmp_path: Path) -> None:
    with gateway(tmp_path, at_most=1, **SLOW) as found:  # type: ignore[arg-type]
        threads = [threading.Thread(target=found.execute, args=("A",)) for _ in range(5)]
        for thread in threads:
            thread.start()
        until(lambda: found.metric("pool_waiting") >= 2)
        assert found.metric("pool_in_use") == 1
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.mark.parametrize("lock", ["redis", "table"])
@pytest.mark.parametrize("defect", [Defect.CHAIN_FORK, Defect.LOCK_NOT_OWNED, Defect.LOCK_GIVEN_UP])
def test_a_lock_that_does_not_hold_forks_the_chain(defect: Defect, lock: str, locks: Redis, tmp_path: Path) -> None:
    with gateway(tmp_path, defect, redis=locks.url if lock == "redis" else "") as found:
        assert ALONE[defect](found)


@pytest.mark.parametrize("lock", ["redis", "table"])
def test_the_chain_holds_though_its_lock_ends_too_early(lock: str, locks: Redis, tmp_path: Path) -> None:
    with gateway(tmp_path, redis=locks.url if lock == "redis" else "", lock_ttl_s=0.002, chain_ms=5) as found:
        assert not chain_is_forked(found)
