"""The system `gateway` in the judge."""

from collections.abc import Sequence

from soak.runner.judge.gateway.account import GatewayAccount
from soak.runner.judge.gateway.comparable import GatewayComparable
from soak.runner.judge.gateway.tracker import GatewayTracker
from soak.runner.judge.room import Busy, Room
from soak.schemas.language.model import Scenario
from soak.schemas.systems.gateway.settings import gateway_of


def busy(scenario: Scenario) -> Sequence[Busy]:
    """Requests in service, limited by the workers."""
    return (Busy("in_service", "workers busy", gateway_of(scenario).workers),)


ROOM = Room(tracker=GatewayTracker, busy=busy, account=GatewayAccount, comparable=GatewayComparable)
