"""What a supervisor says of health is held against what is seen of its processes, in real seconds."""

import pytest

from soak.runner.targets.pipeline.disputes import Disputes
from soak.runner.targets.processes.group import Happening, Seen

Story = list[tuple[float, Happening | str]]


def disputed(story: Story) -> int:
    """How many of the supervisor's green probes are disputed; a text: it says that the process is green."""
    disputes, count = Disputes(), 0
    for at, what in story:
        if isinstance(what, str):
            count += disputes.said("signal", at)
        else:
            # A probe that fails takes two seconds.
            ends = at + 2 if what is Happening.RED else at
            count += disputes.saw(Seen(ends, "signal", what, began=at))
    return count


GREEN, RED, HEALTHY = Happening.GREEN, Happening.RED, Happening.HEALTHY
DOWN: Story = [(10, GREEN), (11, Happening.ENDED), (20, RED), (30, RED)]


@pytest.mark.parametrize(
    ("story", "count"),
    [
        # By its process id a process that hangs is well.
        ([(10, GREEN), (20, RED), (20.1, "green"), (25, "green"), (30, RED), (30, "green"), (40, GREEN)], 2),
        # It may have recovered after its last failed probe, and before it struck it may have been well.
        ([(10, GREEN), (19.9, "green"), (20, RED), (31, "green"), (40, GREEN)], 0),
        ([*DOWN, (15, "green"), (38, Happening.STARTED), (39, HEALTHY)], 1),
        # What is heard later counts as well, and what is near to a change does not.
        (
            [
                *DOWN,
                (38, Happening.STARTED),
                (39, HEALTHY),
                (40, GREEN),
                (37.5, "green"),
                (11.5, "green"),
                (36, "green"),
            ],
            1,
        ),
        # It came back between two probes.
        ([(20, RED), (25, Happening.STARTED), (26, HEALTHY), (30, "green"), (40, RED), (50, GREEN)], 0),
        ([(10, GREEN), (10.1, "green"), (20, GREEN), (20.1, "green"), (30, GREEN)], 0),
    ],
)
def test_a_green_probe_is_disputed_while_the_process_was_seen_to_be_red(story: Story, count: int) -> None:
    assert disputed(story) == count
