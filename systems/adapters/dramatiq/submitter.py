"""Sends a message for each submission, whatever its key: Dramatiq has none."""

from soak_dramatiq import broker, task

from soak import kit


def submit(_key, payload):
    """Every submission is a message."""
    task.send(payload)


def census():
    """Messages that wait, also for a retry, and those that a worker has fetched and not acknowledged."""
    queue = f"{broker.namespace}:{task.queue_name}"
    with broker.client.pipeline(transaction=True) as pipe:
        known, waiting, delayed = pipe.hlen(f"{queue}.msgs").llen(queue).hlen(f"{queue}.DQ.msgs").execute()
    return {"pending": waiting + delayed, "in_progress": known - waiting}


kit.serve(submit=submit, census=census)
