"""Sends a message for each submission, whatever its key: Dramatiq has none."""

from app import broker, task

from soak import kit


def submit(_key, payload):
    """Every submission is a message."""
    task.send(payload)


def census():
    """Messages that wait, also for a retry, and those that a worker has fetched and not acknowledged."""
    queue = f"{broker.namespace}:{task.queue_name}"
    waiting, delayed = broker.client.llen(queue), broker.client.hlen(f"{queue}.DQ.msgs")
    return {"pending": waiting + delayed, "in_progress": broker.client.hlen(f"{queue}.msgs") - waiting}


kit.serve(submit=submit, census=census)
