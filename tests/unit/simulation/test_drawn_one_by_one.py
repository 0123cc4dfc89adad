"""Faults that compiled code draws attempt by attempt: the numbers are NumPy's, and fates are those that the reference reads."""

import pytest
from histories import scenario

from soak.simulation.compiled.library import Unavailable
from soak.simulation.plan import Plan
from soak.simulation.queue import compiled
from soak.simulation.redraws import RedrawnSeed
from soak.simulation.streams import BLOCK, Stream

WORKLOAD = """
    duration: 2h
    workload:
      arrivals: {{rate: 2/s}}
      task: {{duration: {{distribution: exponential, mean: 2s}}}}
      kinds: [{{name: thumbnail, share: 75%}}, {{name: video, share: 25%}}]
    queue: {{workers: 20}}
    faults:
      - {{name: transient, type: transient_error, rate: 10%{more}}}
"""


@pytest.mark.parametrize(("block", "layer"), [(0, 0), (3, 1), (10**6, 2), (5, (1 << 16) + 4)])
@pytest.mark.parametrize("seed", [0, 14, 2**53 - 1])
def test_each_number_is_that_of_its_place(seed: int, block: int, layer: int) -> None:
    try:
        kernel = compiled.kernel()
    except Unavailable as reason:
        pytest.skip(str(reason))
    stream = Stream(seed, "fault:any")
    drawn = stream.at(block, layer).random(BLOCK).tolist()
    assert [kernel.queue_uniform(stream.key_words, block, layer, place) for place in range(BLOCK)] == drawn


def test_only_where_streams_alone_decide_are_faults_drawn_apart() -> None:
    plain, by_kind = (scenario(WORKLOAD.format(more=more)) for more in ("", ", kind: video"))
    assert not Plan(plain).fates.are_plain, "kinds of work take times of their own"
    assert not Plan(by_kind, 3).fates.faults[0].is_plain
    assert Plan(plain, 3).fates.faults[0].is_plain
    assert not Plan(plain, RedrawnSeed(3, (), None)).fates.faults[0].is_plain
