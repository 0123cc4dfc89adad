"""A Dramatiq broker on Redis, and the actor that soak plans. `APP` and `TASK` name a broker and an actor of your own instead."""

import os
from importlib import import_module
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from soak import kit


def named(place: str) -> Any:
    """The object at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def own_broker() -> RedisBroker:
    """A broker with the settings of the target file."""
    return RedisBroker(
        url=os.environ["REDIS_URL"],
        heartbeat_timeout=int(float(os.environ["HEARTBEAT_S"]) * 1000),
        maintenance_chance=int(os.environ["MAINTENANCE_CHANCE"]),
    )


settings = kit.settings()
waits_ms = [int(each * 1000) for each in settings["backoff_s"]] or [1]
broker = named(os.environ["APP"]) if os.environ.get("APP") else own_broker()
dramatiq.set_broker(broker)


@dramatiq.actor(
    max_retries=settings["max_attempts"] - 1,
    min_backoff=waits_ms[0],
    max_backoff=waits_ms[-1],
    throws=(kit.PermanentError,),
)
def work(payload: str) -> None:
    """One attempt. Dramatiq retries whatever an actor raises, except for what it `throws`."""
    kit.attempt(payload)


task = named(os.environ["TASK"]) if os.environ.get("TASK") else work
