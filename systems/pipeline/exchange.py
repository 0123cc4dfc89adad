"""A mock exchange: `POST /orders` accepts a list of orders, each once by its key; the ledger is `orders.jsonl`."""

import json
import time

from soak.systems.pipeline.spool import Appender, all_lines
from soak.systems.pipeline.stage import Stage
from soak.systems.pipeline.web import Answer, answer_json


class Exchange:
    """Keeps the keys of all orders that it has accepted."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        path = stage.directory / "orders.jsonl"
        self._ledger = Appender(path)
        self._keys: set[str] = set()
        for lines in all_lines(path):
            self._keys.update(json.loads(line)["key"] for line in lines)
        stage.counters |= {"accepted_total": 0, "known_total": 0}

    async def run(self) -> None:
        """Serve until asked to stop."""
        await self._stage.open(orders=self._orders)
        await self._stage.stopping.wait()

    async def _orders(self, body: bytes) -> Answer:
        orders = json.loads(body)
        fresh = {each["key"]: each for each in orders if each["key"] not in self._keys}
        at = round(time.time(), 6)
        lines = [json.dumps({**each, "at": at}).encode() + b"\n" for each in fresh.values()]
        done = self._ledger.append(lines)
        self._keys.update(list(fresh)[:done])
        self._stage.count("accepted_total", done)
        self._stage.count("known_total", len(orders) - len(fresh))
        if done < len(fresh) or not self._ledger.complete:
            return answer_json({"error": self._ledger.error}, 503)
        return answer_json({"accepted": done, "known": len(orders) - len(fresh)})
