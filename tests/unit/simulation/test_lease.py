"""The computed expiry against one that steps every heartbeat and every round of the watchdog."""

from hypothesis import given
from hypothesis import strategies as st

from soak.schemas.language.windows import Window
from soak.simulation.queue.lease import FOREVER, Leases, union

whole = st.integers(0, 400).map(float)
spans = st.tuples(whole, st.integers(1, 200)).map(lambda span: Window(span[0] + 0.5, span[0] + 0.5 + span[1]))


def stepped(leases: Leases, start_s: float, end_s: float, silences: tuple[Window, ...]) -> float | None:
    """The same by brute force, in steps of half a second."""

    def inside(t_s: float, windows: tuple[Window, ...]) -> bool:
        return any(window.start_s <= t_s < window.end_s for window in windows)

    renewed_s, missed, t_s = start_s, False, start_s
    while t_s < min(end_s, 2000.0):
        beats = t_s > start_s and (t_s - start_s) % leases.heartbeat_s == 0
        silent = inside(t_s, silences)
        missed = missed or (beats and silent)
        if (beats and not silent) or (missed and not silent):
            renewed_s, missed = t_s, False
        elif t_s % leases.watchdog_s == 0 and not inside(t_s, leases.outages) and t_s >= renewed_s + leases.lease_s:
            return t_s
        t_s += 0.5
    return None


@given(
    start_s=whole,
    length_s=st.integers(1, 600),
    lease_s=st.sampled_from([30.0, 60.0, 120.0]),
    heartbeat_s=st.sampled_from([5.0, 10.0, 20.0]),
    watchdog_s=st.sampled_from([1.0, 10.0, 7.0]),
    hang=st.none() | spans,
    outages=st.lists(spans, max_size=2),
)
def test_first_expiry(
    start_s: float,
    length_s: int,
    lease_s: float,
    heartbeat_s: float,
    watchdog_s: float,
    hang: Window | None,
    outages: list[Window],
) -> None:
    out = union(outages)
    leases = Leases(lease_s, heartbeat_s, watchdog_s, out)
    silences = union([*out, *([hang] if hang else [])])
    end_s = leases.writable_from(start_s + length_s)
    if leases.writable_from(start_s) != start_s:
        return
    assert leases.first_expiry(start_s, end_s, silences) == stepped(leases, start_s, end_s, silences)


def test_a_dead_worker_is_found_at_the_first_look_after_its_lease() -> None:
    leases = Leases(120.0, 30.0, 10.0, ())
    death = (Window(47.0, FOREVER),)
    assert leases.first_expiry(3.0, FOREVER, death) == 160.0  # renewed at 33 s, expired at 153 s


def test_a_lease_that_is_renewed_never_expires() -> None:
    assert Leases(120.0, 30.0, 10.0, ()).first_expiry(0.0, 1e6, ()) is None


def test_union() -> None:
    assert union([Window(5, 7), Window(1, 3), Window(2, 5), Window(9, 10)]) == (Window(1, 7), Window(9, 10))
