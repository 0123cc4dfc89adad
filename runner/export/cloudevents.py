"""What happens in a run as CloudEvents 1.0, each as one JSON document posted to a URL.

Source: https://github.com/cloudevents/spec (the JSON event format, and the binding to HTTP in structured mode).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from soak.runner.export.about import About
from soak.runner.export.moments import Moment, Subject
from soak.runner.export.post import Poster

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
_HEADERS = {"Content-Type": CONTENT_TYPE, "User-Agent": "soak"}
TYPES = {
    (Subject.RUN, False): "soak.run.started",
    (Subject.RUN, True): "soak.run.finished",
    (Subject.FAULT, False): "soak.fault.started",
    (Subject.FAULT, True): "soak.fault.ended",
    (Subject.ALERT, False): "soak.alert.fired",
    (Subject.ALERT, True): "soak.alert.resolved",
    (Subject.ABORT, True): "soak.run.aborted",
}
"""The type of an event: what it is about, and whether that is over."""


def event_of(moment: Moment, about: About) -> dict[str, Any]:
    """An event. Source and id identify it: what is sent twice is told apart from what happened twice."""
    span = moment.span
    return {
        "specversion": "1.0",
        "type": TYPES[span.subject, moment.ended],
        "source": f"/soak/{quote(about.scenario, safe='')}/{quote(about.run, safe='')}",
        "id": f"{span.key}/{'end' if moment.ended else 'start'}",
        "time": datetime.fromtimestamp(moment.time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "subject": span.name,
        "datacontenttype": "application/json",
        "data": {
            "scenario": about.scenario,
            "run": about.run,
            "target": about.target,
            "seed": about.seed,
            "commit": about.commit or None,
            "name": span.name,
            "at_s": span.end_s if moment.ended else span.start_s,
            "since_s": span.start_s if moment.ended else None,
            **moment.facts,
        },
    }


class CloudEvents:
    """Something that takes events; `url`: where they are posted."""

    keeps_history = True
    most_at_once = 1

    def __init__(self, url: str, poster: Poster, about: About) -> None:
        self._url, self._poster, self._about = url, poster, about

    def send(self, moments: Sequence[Moment]) -> None:
        """Post events, oldest first. Raises ExportError."""
        for moment in moments:
            if (moment.span.subject, moment.ended) in TYPES:
                body = msgspec.json.encode(event_of(moment, self._about))
                self._poster.send(self._url, body, _HEADERS, missing="there is nothing at this URL")
