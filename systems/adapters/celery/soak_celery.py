"""The Celery app whose workers are soaked: one's own (`APP`), or one with Celery's defaults, each with a task of soak's.

A task of one's own (`TASK`) is reported from its signals, so that nothing in its code changes.
"""

import os
import sys
from contextlib import AbstractContextManager
from importlib import import_module

from soak import kit

URLS = {"redis": "redis://127.0.0.1:{}/0", "rabbitmq": "amqp://guest:guest@127.0.0.1:{}//"}
os.environ["CELERY_BROKER_URL"] = URLS[os.environ["BROKER"]].format(os.environ["BROKER_PORT"])
"""This variable of Celery's goes before what an app says itself."""

from celery import Celery, signals  # noqa: E402 it reads the variable

HEADER = "soak_payload"
TASK = os.environ["TASK"] or "soak.work"


def load() -> Celery:
    """The app of `APP`, or a plain one, with the settings that options give."""
    if not os.environ["APP"]:
        found = Celery("soak", task_ignore_result=True, broker_connection_retry_on_startup=True)
    else:
        sys.path.insert(0, os.environ["APP_DIRECTORY"])
        module, _, name = os.environ["APP"].partition(":")
        found = getattr(import_module(module), name or "app")
    transport = {name: each for name, each in TRANSPORT.items() if each is not None}
    found.conf.update({name: each for name, each in SETTINGS.items() if each is not None})
    found.conf.broker_transport_options = {**(found.conf.broker_transport_options or {}), **transport}
    return found


def said(name: str, kind: type) -> object:
    """The value of an option; None: it is empty."""
    text = os.environ[name]
    if not text:
        return None
    return text == "true" if kind is bool else kind(text)


SETTINGS = {
    "task_acks_late": said("ACKS_LATE", bool),
    "task_reject_on_worker_lost": said("REJECT_ON_WORKER_LOST", bool),
    "worker_prefetch_multiplier": said("PREFETCH", int),
    "task_default_queue": said("QUEUE", str),
}
RESTORE = said("RESTORE_INTERVAL", float)
TRANSPORT = {
    "visibility_timeout": said("VISIBILITY_TIMEOUT", float),
    "unacked_restore_interval": RESTORE,
    "unacked_restore_throttle": None if RESTORE is None else 1,
}

app = load()
PLAN = kit.settings()


@app.task(name="soak.work", bind=True, max_retries=PLAN["max_attempts"] - 1)
def work(self, payload):
    """One attempt as soak plans it; a transient error is retried after the scenario's backoff."""
    try:
        kit.attempt(payload, attempt=self.request.retries + 1)
    except kit.TransientError as error:
        waits = PLAN["backoff_s"]
        raise self.retry(
            exc=error, countdown=waits[min(self.request.retries, len(waits) - 1)] if waits else 0
        ) from None


@signals.worker_ready.connect
def ready(**_):
    """A line that soak waits for, whatever the app's log looks like."""
    sys.__stdout__.write("soak ready\n")
    sys.__stdout__.flush()


running: "dict[str, AbstractContextManager[None]]" = {}


@signals.task_prerun.connect
def before(task_id=None, task=None, **_):
    """The start of a task of one's own that soak has submitted."""
    payload = (task.request.headers or {}).get(HEADER)
    if payload and task.name != "soak.work":
        running[task_id] = kit.own_attempt(payload, attempt=task.request.retries + 1)
        running[task_id].__enter__()


@signals.task_postrun.connect
def after(task_id=None, retval=None, state=None, **_):
    """Its end: a failure is permanent, since what Celery tries again ends as RETRY."""
    if attempt := running.pop(task_id, None):
        kinds = {"RETRY": kit.TransientError, "FAILURE": kit.PermanentError}
        error = kinds[state](type(getattr(retval, "exc", None) or retval).__name__) if state in kinds else None
        attempt.__exit__(type(error) if error else None, error, None)
