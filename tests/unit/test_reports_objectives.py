"""What is said of the evidence behind an objective."""

import pytest
from histories import CLEAN, objective
from msgspec.structs import replace

from soak.reports.objectives import excludes


@pytest.mark.parametrize(
    ("rate", "words"), [(0.95, ""), (0.5, "a rate of 50% or more"), (0.01, "a rate of 1% or more"), (None, "")]
)
def test_a_rate_is_said_to_be_excluded_where_that_says_something(rate: float | None, words: str) -> None:
    result = replace(objective("lost_tasks == 0", CLEAN), excluded=rate)
    assert (words in excludes(result)) and bool(words) == bool(excludes(result))
