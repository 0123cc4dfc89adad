"""Annotations in Grafana: the run, its faults and alerts as regions, what aborted it as a line, by the HTTP API of annotations.

They belong to no dashboard: any of them shows those with the tags that it asks for.
"""

import html
from collections.abc import Sequence
from typing import Any

import msgspec

from soak.runner.export.about import TAG, About, scenario_tag
from soak.runner.export.database import ExportError
from soak.runner.export.moments import Moment, Subject
from soak.runner.export.post import Poster

PATH = "/api/annotations"
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "soak"}
_MISSING = f"it has no {PATH} (write the URL of Grafana itself)"


def annotation_of(moment: Moment, about: About) -> dict[str, Any]:
    """The body of a request; times in milliseconds. Grafana shows the text as HTML."""
    span = moment.span
    own = "" if span.subject is Subject.RUN else f"{span.subject.value}:{span.name}"
    marks = [span.subject.value, own, *(f"{key}:{value}" for key, value in _tagged(moment))]
    tags = [TAG, scenario_tag(about.scenario), f"run:{about.run}", f"target:{about.target}", *marks]
    body: dict[str, Any] = {
        "time": round(moment.start_s * 1000),
        "tags": [tag for tag in tags if tag],
        "text": html.escape(_text(moment, about)).replace("\n", "<br>"),
    }
    if moment.end_s is not None:
        body["timeEnd"] = round(moment.end_s * 1000)
    return body


def _tagged(moment: Moment) -> list[tuple[str, str]]:
    return [(key, moment.facts[key]) for key in ("severity", "verdict") if key in moment.facts]


def _text(moment: Moment, about: About) -> str:
    span = moment.span
    if span.subject is Subject.RUN:
        headline = moment.facts.get("headline", "runs")
        beside = [f"target {about.target}, seed {about.seed}", moment.facts.get("reasons", "")]
        return "\n".join(each for each in [f"soak {about.scenario}: {headline}", *beside] if each)
    facts = ", ".join(f"{key} {value}" for key, value in moment.facts.items())
    return f"{span.subject.value} {span.name}{f' ({facts})' if facts else ''}\nrun {about.run}"


class GrafanaAnnotations:
    """A Grafana; `url`: its own, without a path of the API."""

    keeps_history = True
    most_at_once = 1

    def __init__(self, url: str, poster: Poster, about: About) -> None:
        self._url, self._poster, self._about = f"{url}{PATH}", poster, about
        self._open: dict[str, int] = {}

    def send(self, moments: Sequence[Moment]) -> None:
        """Add an annotation when something begins, and make a region of it when it is over. Raises ExportError."""
        for moment in moments:
            body, key = msgspec.json.encode(annotation_of(moment, self._about)), moment.span.key
            if moment.ended and key in self._open:
                self._poster.send(f"{self._url}/{self._open[key]}", body, _HEADERS, method="PATCH", missing=_MISSING)
                del self._open[key]
                continue
            answer = self._poster.send(self._url, body, _HEADERS, missing=_MISSING, read=True)
            if not moment.ended:
                self._open[key] = _id_in(answer)


class _Added(msgspec.Struct):
    id: int


def _id_in(answer: bytes) -> int:
    try:
        return msgspec.json.decode(answer, type=_Added).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ExportError("it did not answer as Grafana does") from None
