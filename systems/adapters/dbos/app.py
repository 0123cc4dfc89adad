"""A DBOS application with one workflow, whose attempts are steps with soak's body: `python app.py NAME`.

A step is recorded with its outcome, so that a workflow that is recovered goes on with the attempt that had not ended.
"""

import os
import sys
import threading

from dbos import DBOS, DBOSConfig

from soak import kit

SETTINGS = kit.settings()
NAME, QUEUE, TASK = sys.argv[1], "soak", "soak"
POLL_S = float(os.environ["POLL"])
EXECUTOR = os.environ["EXECUTOR"]

config: DBOSConfig = {
    "name": "soak",
    "system_database_url": os.environ["DATABASE_URL"],
    "application_version": os.environ["VERSION"] or None,
    "executor_id": {"name": NAME, "pid": f"{NAME}-{os.getpid()}", "": None}.get(EXECUTOR, EXECUTOR),
}
DBOS(config=config)


@DBOS.step()
def attempt(payload: str, number: int) -> str:
    """One attempt; the error that it ended with, empty where it was transient no longer."""
    try:
        kit.attempt(payload, attempt=number, worker=NAME)
    except kit.TransientError as error:
        return str(error) or "transient"
    return ""


@DBOS.workflow(name=TASK)
def task(payload: str) -> None:
    """Attempts with the scenario's backoff in between, which outlive the process: DBOS.sleep ends when it would have."""
    waits = SETTINGS["backoff_s"]
    for number in range(1, SETTINGS["max_attempts"] + 1):
        if not (error := attempt(payload, number)):
            return
        if number < SETTINGS["max_attempts"] and waits:
            DBOS.sleep(waits[min(number, len(waits)) - 1])
    raise RuntimeError(error)


DBOS.launch()
DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=POLL_S)
sys.stdout.write("ready\n")
sys.stdout.flush()
threading.Event().wait()
