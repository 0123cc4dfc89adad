"""Defers a job for each submission; its key is the queueing lock, which is held while a job waits, and only then."""

import os

from app import TASK, app
from procrastinate.exceptions import AlreadyEnqueued

from soak import kit

STATES = {"todo": "pending", "doing": "in_progress", "succeeded": "done", "failed": "failed"}
LOCKED = os.environ["LOCK"] == "yes"


def submit(key, payload):
    """False: a job with this lock is waiting."""
    job = app.configure_task(TASK, queueing_lock=key if LOCKED else None)
    try:
        job.defer(payload=payload)
    except AlreadyEnqueued:
        return False
    return True


def census():
    """How many jobs are in each state."""
    rows = app.job_manager.list_tasks(task=TASK)
    return {state: sum(row[theirs] for row in rows) for theirs, state in STATES.items()}


with app.open():
    kit.serve(submit=submit, census=census)
