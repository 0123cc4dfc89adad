"""What Python and `kernel.c` hand each other: the structures of the C, field by field.

Pointers are addresses of arrays that Python keeps.
"""

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_uint64, c_void_p

from soak.schemas.stream.events import Kind
from soak.simulation.recorder import RowKind

WAITS = 64
"""After how many attempts waits are looked up in a table."""
MOST_TOLD = 8
"""Rows that a scheduled fault tells at once, at most."""

CODES = (
    RowKind.BEGIN,
    RowKind.RUN,
    Kind.TASK_DEFERRED,
    Kind.TASK_ENQUEUED,
    Kind.TASK_DUPLICATE,
    Kind.TASK_SKIPPED,
    Kind.SAMPLE_QUEUE_DEPTH,
    Kind.SAMPLE_OLDEST_PENDING,
    Kind.SAMPLE_BUSY_WORKERS,
    Kind.LEASE_CONTENDED,
    Kind.FAULT_INJECTED,
    Kind.FAULT_SEEN,
    Kind.EXECUTION_ENDED,
    Kind.TASK_RETRY,
    Kind.TASK_DEAD_LETTERED,
    Kind.TASK_DONE,
    Kind.TASK_FAILED,
    Kind.TASK_BLOCKED,
    Kind.TASK_LOST,
    Kind.PROCESS_EXITED,
    Kind.PROCESS_STARTED,
    Kind.LEASE_EXPIRED,
    Kind.LEASE_REFUSED,
)
"""The kinds of its rows, in the order of its enumeration."""


class Windows(ctypes.Structure):
    """Windows in order: their starts and ends by turns."""

    _fields_ = (("count", c_int64), ("edges", c_void_p))


class Fates(ctypes.Structure):
    """The fates of a block of tasks; without `cause` faults are drawn task by task."""

    _fields_ = (
        ("service_s", c_void_p),
        ("cause", c_void_p),
        ("within", c_void_p),
        ("windowed", c_void_p),
        ("windowed_fault", c_void_p),
        ("windowed_cause", c_void_p),
        ("windowed_within", c_void_p),
    )


class Fault(ctypes.Structure):
    """How a fault is drawn; key: of its stream, low and high word."""

    _fields_ = (
        ("key", c_uint64 * 2),
        ("rate", c_double),
        ("by_attempt", c_int64),
        ("cause_count", c_int64),
        ("causes", c_void_p),
    )


class Rules(ctypes.Structure):
    """What holds for a kind of work; max_deliveries: -1 for none; a wait that has to be asked for is NaN."""

    _fields_ = (
        ("last_attempt", c_int64),
        ("max_deliveries", c_int64),
        ("time_limit_s", c_double),
        ("waits_s", c_double * WAITS),
    )


class Delay(ctypes.Structure):
    """By how much the network delays attempts that start in a window."""

    _fields_ = (
        ("start_s", c_double),
        ("end_s", c_double),
        ("more_s", c_double),
        ("cause", c_int64),
        ("seen", c_int64),
    )


CHUNK = CFUNCTYPE(c_int64, *[POINTER(c_void_p)] * 3, POINTER(c_int64))
FATES = CFUNCTYPE(c_int64, c_int64, c_int64, c_int64, c_int64, POINTER(Fates))
RIVALS = CFUNCTYPE(c_int64, c_int64, c_int64, c_int64, POINTER(c_void_p))
KINDS = CFUNCTYPE(c_int64, c_int64, c_int64, POINTER(c_void_p))
WAIT = CFUNCTYPE(c_double, c_int64, c_int64)
NAME = CFUNCTYPE(c_double, c_int64)
OUTAGE_CAUSE = CFUNCTYPE(c_int64, c_double, c_double)
HAPPEN = CFUNCTYPE(c_int64, c_int64, c_double, POINTER(c_double), POINTER(c_int64))


class Callbacks(ctypes.Structure):
    """Functions of Python that the kernel calls."""

    _fields_ = (
        ("chunk", CHUNK),
        ("fates", FATES),
        ("rivals", RIVALS),
        ("kinds", KINDS),
        ("wait_s", WAIT),
        ("worker_name", NAME),
        ("outage_cause", OUTAGE_CAUSE),
        ("happen", HAPPEN),
    )


class Config(ctypes.Structure):
    """All that a queue is made of."""

    _fields_ = (
        *(
            (name, c_int64)
            for name in (
                *(
                    "workers",
                    "regular_polls",
                    "lease_kind",
                    "acks_early",
                    "times_out",
                    "enforces",
                    "contended",
                    "watched",
                ),
                *("late_cause", "placed", "phases", "delays", "happenings", "many_rules", "faults"),
            )
        ),
        *(
            (name, c_double)
            for name in (
                *("poll_interval_s", "lease_s", "heartbeat_s", "watchdog_s", "worker_restart_s", "busy_timeout_s"),
                *("sample_interval_s", "duration_s"),
            )
        ),
        ("phases_s", c_void_p),
        ("outages", Windows),
        ("blind", Windows),
        ("gone", Windows),
        ("codes", c_void_p),
        ("action", c_void_p),
        ("hang_for_s", c_void_p),
        ("slow_factor", c_void_p),
        ("fault_windows", c_void_p),
        ("fault", c_void_p),
        ("rules", c_void_p),
        ("before", c_void_p),
        ("delay", c_void_p),
        ("happens_s", c_void_p),
        ("happens_end", c_void_p),
        ("ask", Callbacks),
    )
