"""Which tests run side by side, and which one after the other in one process."""

from pathlib import Path

LANES = (
    frozenset(
        {
            "test_timeseries",
            "test_real_calls",
            "test_own_system",
            "orchestrator",
        }
    ),
    frozenset(
        {
            "test_real_orchestrator",
            "test_real_kinds",
            "test_attached_queue",
            "test_broken_off",
            "test_resumed_runs",
            "targets",
        }
    ),
    frozenset(
        {
            "test_real_pipeline",
            "test_pipeline_defects",
            "test_target_file_runs",
            "test_task_systems",
            "test_pipeline_processes",
            "test_real_gateway",
            "test_gateway_selftest",
            "test_gateway_processes",
            "test_gateway_defects",
            "test_gateway_pages",
            "test_distributed",
            "test_real_http",
            "test_generator",
            "test_checks_run",
        }
    ),
)
"""Files and folders whose tests run real processes against the clock. They mostly wait; one of each lane at a time."""

LONG = (
    "test_surroundings",
    "test_cli",
    "test_installed",
    "test_fuzz",
    "test_forecast_load",
    "test_judge_random_cuts",
    "test_evidence_damage",
)
"""Files that take longest, so that none of them is the last to begin."""


CLOCKED = frozenset(
    {
        "foreign",
        "test_claims_at_once",
        "test_cluster",
        "test_delivery_examples",
        "test_early",
        "test_elsewhere",
        "test_nothing_left_behind",
        "test_real_fleet",
        "test_receivers",
        "test_resumed_users",
    }
)
"""Others that run real processes against the clock: few, or at times when nothing else runs."""


def _lane(path: Path) -> int | None:
    return next((number for number, names in enumerate(LANES) if names & {path.stem, *path.parts}), None)


def against_the_clock(path: Path) -> bool:
    """Whether the tests of a file run real processes against the clock."""
    return _lane(path) is not None or bool(CLOCKED & {path.stem, *path.parts})


def share(path: Path) -> str:
    """What runs in one process, one test after the other: a lane, or a file, so that what its tests share is made once."""
    number = _lane(path)
    return path.stem if number is None else f"lane {number}"


def turn(path: Path) -> int:
    """The place of a file's share among all."""
    order = [*(f"lane {number}" for number in range(len(LANES))), *LONG]
    return order.index(share(path)) if share(path) in order else len(order)
