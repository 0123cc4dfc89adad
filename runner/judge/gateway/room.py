"""The system `gateway` in the judge."""

from collections.abc import Sequence

from soak.runner.judge.gateway.account import GatewayAccount
from soak.runner.judge.gateway.comparable import GatewayComparable
from soak.runner.judge.gateway.tracker import GatewayTracker
from soak.runner.judge.room import Busy, Room
from soak.schemas.language.model import Scenario


def busy(scenario: Scenario) -> Sequence[Busy]:
    """Requests in service: those that wait for a worker among them."""
    return (Busy("in_service", "requests in service"),)


ROOM = Room(tracker=GatewayTracker, busy=busy, account=GatewayAccount, comparable=GatewayComparable)
