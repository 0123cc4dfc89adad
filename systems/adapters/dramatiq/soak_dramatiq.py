"""A Dramatiq broker on Redis with the settings of the options, and an actor whose body is soak's.

With APP (`module:name`) the broker is one's own, with TASK the actor.
"""

import os
from importlib import import_module

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage

from soak import kit

SETTINGS = kit.settings()


def named(place):
    """The object at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def made():
    """A broker with the settings of the options."""
    return RedisBroker(
        url=os.environ["REDIS_URL"],
        heartbeat_timeout=int(float(os.environ["HEARTBEAT"]) * 1000),
        maintenance_chance=int(os.environ["MAINTENANCE_CHANCE"]),
    )


broker = named(os.environ["APP"]) if os.environ["APP"] else made()
if not any(isinstance(each, CurrentMessage) for each in broker.middleware):
    broker.add_middleware(CurrentMessage())
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=SETTINGS["max_attempts"] - 1, throws=kit.PermanentError)
def work(payload):
    """An attempt. Dramatiq retries what an actor raises, except for what it `throws`; a delay of ours replaces a random one."""
    made, waits = CurrentMessage.get_current_message().options.get("retries", 0), SETTINGS["backoff_s"]
    try:
        kit.attempt(payload, attempt=made + 1)
    except kit.TransientError as error:
        wait_s = waits[min(made, len(waits) - 1)] if waits else 0
        raise dramatiq.errors.Retry(str(error), delay=int(wait_s * 1000)) from error


task = named(os.environ["TASK"]) if os.environ["TASK"] else work
