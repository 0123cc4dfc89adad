"""Planted defects of the real gateway are found by the checks meant for them, and a sound one raises nothing.

Some of them, in a short scenario; `soak selftest --target gateway` runs all of them.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from soak.runner.selftest.matrix import Bench, TrialResult, run_trials
from soak.runner.targets.trials import Trial
from soak.schemas.evidence.verdict import Status
from soak.systems.gateway.defects import VARIABLE, Defect

SCENARIO = """
version: 1
name: short
system: gateway
duration: 6s
drain: 10s
http:
  variables: {last: none}
  login:
    for_each: tenant
    request: {method: POST, path: /token, json: {tenant: "{tenant}", secret: "secret-{tenant}"}}
    save: {token: $.token}
  headers: {Authorization: "Bearer {token}"}
workload:
  users: {think: {distribution: exponential, mean: 400ms}}
  tenants: [{name: A}, {name: Z}]
  kinds:
    - name: allowed
      share: 80%
      request: {method: POST, path: /execute, json: {tool: search}}
      expect: {status: 200, json: {decision: allow}}
      save: {last: $.execution}
    - name: others
      share: 20%
      request: {path: "/executions/{last}", query: {tenant: Z}, headers: {Authorization: Bearer admin-token}}
      expect: {status: 404}
phases: [{name: all, for: 6s, users: {A: 12, Z: 0}}]
gateway: {pools: per_tenant}
checks:
  - name: first
    for_each: tenant
    when: before
    http: {method: POST, path: /execute, json: {tool: search}}
    expect: {decision: allow}
  - name: chain
    for_each: tenant
    when: after
    http: {path: /audit/verify}
    expect: {violations: 0, rows_verified: "== rows_written"}
  - {name: reconcile, for_each: tenant, when: settled, within: 10s, http: {path: /reconcile}, expect: {gap: 0}}
evidence: lenient
slos: ["wrong_answers{kind=*} == 0", server_errors == 0]
"""
TRIALS = (
    Trial(None, "short"),
    Trial(Defect.CHAIN_FORK, "short", ("objective chain_violations{tenant=A} == 0",), status=Status.FAIL),
    Trial(Defect.OUTBOX_DROPS, "short", ("objective reconcile_gap{tenant=A} == 0",), status=Status.FAIL),
    Trial(Defect.CROSS_TENANT, "short", ("objective wrong_answers{kind=others} == 0",), status=Status.FAIL),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[TrialResult]:
    """The results of all trials, which run at the same time."""
    folder = tmp_path_factory.mktemp("trials")
    (folder / "short.yaml").write_text(SCENARIO)
    bench = Bench("gateway", VARIABLE, folder, 1.0)

    def run(trial: Trial) -> TrialResult:
        return run_trials([trial], bench, folder / trial.name, lambda _: None)[0]

    with ThreadPoolExecutor(len(TRIALS)) as pool:
        return list(pool.map(run, TRIALS))


@pytest.mark.parametrize("place", range(len(TRIALS)), ids=[trial.name for trial in TRIALS])
def test_it_comes_out_as_meant(results: list[TrialResult], place: int) -> None:
    found = results[place]
    assert found.as_meant, found.found


def test_each_defect_is_found_by_no_other_check(results: list[TrialResult]) -> None:
    for trial, result in zip(TRIALS, results, strict=True):
        assert {each.check for each in result.found} <= {*trial.meant}, trial.name
