"""Who does what of a plan: every task once, whatever the number of processes, and whoever of them is lost."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_server import plan_of

from soak.runner.load.division import Division
from soak.runner.load.rows import Rows, What, unpack
from soak.runner.load.shares import Share, mine, users_of
from soak.simulation.plan import Plan

ARRIVALS = "duration: 20s\nworkload: {arrivals: {rate: 50/s}, task: {request: {path: /}}}\n"
USERS = """
duration: 20s
workload:
  users: {count: 7, think: {distribution: constant, value: 1s}}
  task: {request: {path: /}}
"""


def submissions(plan: Plan) -> tuple[list[int], list[float]]:
    chunks = list(plan.again().submissions())
    return (
        [number for chunk in chunks for number in chunk.number.tolist()],
        [due_s for chunk in chunks for due_s in chunk.due_s.tolist()],
    )


@given(st.integers(1, 9), st.lists(st.integers(0, 10_000), max_size=50, unique=True))
def test_each_arrival_is_in_one_share(workers: int, arrivals: list[int]) -> None:
    numbers, due_s = np.array(arrivals, dtype=np.int64) << 1, np.zeros(len(arrivals))
    found = sum(mine([Share(workers, index)], numbers, due_s).astype(int) for index in range(workers))
    assert np.all(found == 1)


@given(st.integers(1, 9), st.integers(0, 40))
def test_each_user_is_in_one_part(workers: int, count: int) -> None:
    assert sorted(user for index in range(workers) for user in users_of(index, workers, count)) == list(range(count))


@given(st.integers(2, 6), st.integers(0, 5), st.integers(1, 4))
def test_the_others_have_exactly_what_the_lost_one_had(workers: int, lost: int, parts: int) -> None:
    share = Share(workers, lost % workers)
    numbers = np.arange(2_000) << 1
    due_s = np.arange(2_000) / 100
    split = [mine([each], numbers, due_s) for each in share.split(parts, 5.0)]
    assert np.array_equal(np.sum(split, axis=0), mine([share], numbers, due_s) & (due_s >= 5.0))


def test_arrivals_of_a_lost_process_are_sent_by_the_others_each_once(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ARRIVALS)
    division = Division(plan, 3)
    before = division.part(1).shares
    number, due_s = (np.array(each) for each in submissions(plan))
    own = number[mine(before, number, due_s)]
    own_due_s = due_s[mine(before, number, due_s)]
    sent = own[own_due_s < 4.0]
    division.observe(1, unpack(told(*(("begun", float(due_s[number == each][0]), each) for each in sent)).take()[1]))
    messages = division.lost(1, 6.5, [0, 2])
    taken = [
        set(number[mine([Share(*each) for each in message["shares"]], number, due_s)].tolist())
        for message in messages.values()
    ]
    late = {number: due_s for message in messages.values() for due_s, number in message["late"]}
    assert taken[0].isdisjoint(taken[1])
    assert taken[0] | taken[1] == set(own[own_due_s >= 6.5].tolist())
    # Those that were due meanwhile come as much later: none before it is their turn, and none of them twice.
    meanwhile = own[(own_due_s >= 4.0) & (own_due_s < 6.5)]
    times = due_s[np.isin(number, meanwhile)]
    assert list(late) == meanwhile[::2].tolist() + meanwhile[1::2].tolist()
    assert [late[each] for each in meanwhile.tolist()] == pytest.approx((times + 6.5 - times[0]).tolist())
    assert len(meanwhile) > 20


def told(*rows: tuple[str, float, int]) -> Rows:
    """Rows of requests that begin and end at times."""
    now = [0.0]
    made = Rows(lambda: now[0])
    for what, t_s, number in rows:
        now[0] = t_s
        if what == "begun":
            made.begun(number, t_s)
        else:
            made.ended(number, t_s, 200, 3, "")
    return made


def test_users_of_a_lost_process_go_on_where_they_were(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, USERS)
    division = Division(plan, 2)
    # User 1 is answered, user 3 waits for an answer, user 5 has not begun yet.
    rows = told(("begun", 0.5, 2), ("begun", 0.6, 6), ("ended", 0.75, 2))
    division.observe(1, unpack(rows.take()[1]))
    assert division.open_tasks(1) == [6]
    assert (division.open, division.begun) == (1, 2)
    messages = division.lost(1, 1.5, [0])
    # User 1 thinks for a second from its answer on; user 3 from now on; user 5 comes at once.
    assert messages[0]["users"] == [(1, 1.75, (7 + 1) << 1), (3, 2.5, (7 + 3) << 1), (5, 1.5, 5 << 1)]
    assert division.open == 0
    assert division.part(0).users == [0, 2, 4, 6, 1, 3, 5]


def test_a_request_that_begins_and_ends_in_one_message_is_not_open(tmp_path: Path) -> None:
    division = Division(plan_of(tmp_path, USERS), 1)
    rows = told(("begun", 0.1, 0), ("ended", 0.2, 0), ("begun", 1.2, 14), ("ended", 1.3, 14), ("begun", 2.3, 28))
    division.observe(0, unpack(rows.take()[1]))
    assert division.open_tasks(0) == [28]


def test_rows_are_never_earlier_than_what_was_taken() -> None:
    now = [1.0]
    rows = Rows(lambda: now[0])
    rows.begun(4, 0.5)
    assert rows.take()[0] == 1.0
    now[0] = 0.9
    assert rows.begun(6, 0.9) == 1.0
    assert rows.ended(4, 0.8, 503, 7, "server_error") == 1.0
    until_s, packed = rows.take()
    assert until_s == 1.0
    assert unpack(packed)[:, :5].tolist() == [[1.0, What.BEGUN, 6, 0.9, 0], [1.0, What.ENDED, 4, 503, 7]]
