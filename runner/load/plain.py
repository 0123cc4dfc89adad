"""The plainest exchanges: every task is a GET of the system's URL, and any answer below 400 is a success."""

from soak.runner.load.exchange import Error, Exchanges, Outcome, Request, Send, Task
from soak.runner.load.order import Order
from soak.schemas.language.model import Scenario

_FIRST_FAILURE = 400


class _Plain:
    def __init__(self, url: str) -> None:
        self._request = Request("GET", url)

    def perform(self, task: Task, send: Send) -> Outcome:
        answer = send(self._request)
        wrong = Error.WRONG_ANSWER if answer.status >= _FIRST_FAILURE else None
        return Outcome(answer.status, len(answer.body), answer.error or wrong)


def plain(scenario: Scenario, order: Order) -> Exchanges:
    """Exchanges of this kind."""
    return _Plain(order.url)
