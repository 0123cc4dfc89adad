"""The system `gateway`: from checked data, defaults filled in, to typed settings."""

from collections.abc import Iterator, Mapping
from typing import Any

from soak.schemas import units
from soak.schemas.files import Folders
from soak.schemas.language.build import build_distribution
from soak.schemas.language.http import Exchange, Http, build_exchange, build_http
from soak.schemas.systems.gateway.settings import Chain, Discipline, Fairness, Gateway, Limit, Outbox, Pools, Store

Mapping_ = Mapping[str, Any]


def build_gateway(scenario: Mapping_, folders: Folders) -> Gateway:
    """The settings of a gateway. Raises ValueError if an empirical file cannot be used."""
    data = scenario["gateway"]
    limits, store = data.get("limits"), data.get("store")
    chain, outbox = data.get("chain"), data.get("outbox")
    return Gateway(
        tuple(_exchanges(scenario["workload"])),
        build_distribution(data["service"], folders),
        data["workers"],
        Discipline(data["discipline"]),
        Pools(data["pools"]),
        data["backlog"],
        (build_http(scenario["http"]) if "http" in scenario else Http()).timeout_s,
        _limit(limits) if limits and "rate" in limits else None,
        tuple((name, _limit(each)) for name, each in limits["tenants"].items()) if limits else (),
        Store(store["connections"], build_distribution(store["latency"], folders)) if store else None,
        Chain(
            tuple(chain["kinds"]),
            build_distribution(chain["hold"], folders),
            units.duration(chain["gives_up_after"]),
            units.duration(chain["locked_for"]),
        )
        if chain
        else None,
        Outbox(tuple(outbox["kinds"]), units.rate(outbox["drain_rate"])) if outbox else None,
        Fairness(data["fairness"].get("baseline", "")) if "fairness" in data else Fairness(),
        min(data["processes"], data["workers"]),
        tuple((each["name"], each["times_as_slow"]) for each in scenario["faults"] if "times_as_slow" in each),
    )


def _limit(data: Mapping_) -> Limit:
    # The default is not filled in where names are those of tenants.
    return Limit(units.rate(data["rate"]), data.get("burst", 1))


def _exchanges(workload: Mapping_) -> Iterator[Exchange]:
    """Of each kind; one of all where there are no kinds. None where a kind has no request: then nothing can be sent."""
    entries = workload.get("kinds") or [workload.get("task", {})]
    if all("request" in each for each in entries):
        yield from map(build_exchange, entries)
