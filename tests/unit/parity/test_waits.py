"""How long each task waited, wherever the blocks of its stream end."""

import numpy as np
import pytest
from histories import block_of

from soak.runner.parity.outcomes import Outcomes, refuse_unplanned
from soak.schemas.errors import EvidenceError

HISTORY = """
    1   enqueued 1 due=0
    2   deferred 2 due=2
    3   enqueued 3 due=3
    5   dispatched 1 w0
    9   retry 1 fault=net due=19
    12  enqueued 2 due=2
    14  dispatched 2 w1
    15  dispatched 3 w2
    16  done 3 w2
    22  dispatched 1 w0
    25  failed 1 w0 fault=net
    30  done 2 w1
    31  enqueued 4 due=31
"""
EXPECTED = {2: 5 + 3, 4: 12, 6: 12}
"""By task number, twice what a stream calls it: due 0 to 5 and 19 to 22; due 2 to 14; due 3 to 15."""


@pytest.mark.parametrize("size", [1, 2, 5, 13])
def test_waits_add_up_over_attempts_and_blocks(size: int) -> None:
    whole, outcomes = block_of(HISTORY), Outcomes(10)
    for first in range(0, len(whole), size):
        outcomes.observe(whole.take(slice(first, first + size)))
    waits = {number: wait for number, wait in enumerate(outcomes.wait_s.tolist()) if not np.isnan(wait)}
    assert waits == EXPECTED
    assert outcomes.latency_s[[2, 4, 6]].tolist() == [25, 28, 13]
    outcomes.grow(20)
    assert len(outcomes.wait_s) == 20
    assert {n for n, wait in enumerate(outcomes.wait_s.tolist()) if not np.isnan(wait)} == set(EXPECTED)


def test_a_task_that_the_scenario_cannot_have_is_refused() -> None:
    with pytest.raises(EvidenceError, match="task 4 is not one that the scenario can have"):
        refuse_unplanned(block_of(HISTORY), 8, "stream")
