"""Calls the task for each submission, whatever its key: Huey has none."""

from soak_huey import huey, task

from soak import kit


def submit(_key, payload):
    """Every submission is a task."""
    task(payload)


def census():
    """Tasks that wait. What runs, Huey does not know: a task is taken out of the store before it starts."""
    return {"pending": huey.pending_count() + huey.scheduled_count()}


kit.serve(submit=submit, census=census)
