"""The files of the evidence that gateways have beside those of every run: what each holds, as data."""

import msgspec

SCHEMA_VERSION = 1
LATENCY = "latency.json"
COMPARISON = "comparison.json"
ERRORS = "errors.log"
CHECKED = {"chain": "chain_verify.json", "chain_verify": "chain_verify.json", "reconcile": "reconcile.json"}
"""Files that hold the answers of a check, by its name."""


class Latencies(msgspec.Struct, frozen=True):
    """Requests that ended, those of the warm-up left out. tenant, kind, phase (in which they were due): None for all of them.

    Seconds from when a request was due to its end, failed ones among them; quantiles to within `quantile_relative_error`.
    by_error: how many failed of each error.
    """

    tenant: str | None
    kind: str | None
    phase: str | None
    count: int
    errors: int
    error_rate: float
    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float
    by_error: dict[str, int] = {}


class OverTime(msgspec.Struct, frozen=True):
    """A tenant in windows that follow one another. due: requests that were due; done, failed: that ended so in the window.

    p95_s: 95th percentile of the latency of those that ended, in seconds, to within two per cent; None without any.
    """

    tenant: str
    due: list[int]
    done: list[int]
    failed: list[int]
    p95_s: list[float | None]


class LatencyReport(msgspec.Struct, frozen=True):
    """latency.json. over_time: of each tenant, in windows of `window_s` seconds from 0."""

    schema_version: int
    scenario: str
    quantile_relative_error: float
    latencies: list[Latencies]
    window_s: float
    over_time: list[OverTime]


class TenantInPhase(msgspec.Struct, frozen=True):
    """A tenant (empty: the scenario has none) in a phase. None: nothing was observed, or there is no interval.

    requests: that were due in the phase and have ended. offered_per_s: requests that were due; achieved_per_s: that succeeded in
    the phase. slowdown: p99 over that in the baseline; slowdown_interval: at 95 %.
    """

    tenant: str
    requests: int
    success_rate: float | None
    offered_per_s: float | None
    achieved_per_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    slowdown: float | None
    slowdown_interval: tuple[float | None, float | None] | None


class PhaseReport(msgspec.Struct, frozen=True):
    """A phase. jain_index: None where there are fewer than two tenants, or nothing succeeded."""

    phase: str
    jain_index: float | None
    tenants: list[TenantInPhase]


class ComparisonReport(msgspec.Struct, frozen=True):
    """comparison.json: the tenants in each phase. baseline: the phase that others are compared with; None: there is none."""

    schema_version: int
    scenario: str
    baseline: str | None
    jain_index: float | None
    phases: list[PhaseReport]


class TenantChecked(msgspec.Struct, frozen=True):
    """What a check answered for a tenant (empty: for none in particular), the last time. None: it gave no answer.

    status: the worst of what was expected of it. failed: why it gave no answer. answers: how often it was made.
    """

    tenant: str
    status: str
    answers: int
    t_s: float | None
    values: dict[str, float]
    failed: str
    detail: str


class CheckReport(msgspec.Struct, frozen=True):
    """chain_verify.json and reconcile.json: the answers of a check, for each tenant. expected: what was expected of them."""

    schema_version: int
    scenario: str
    check: str
    expected: list[str]
    tenants: list[TenantChecked]
