"""Enqueues a job for each submission, whatever its key: RQ has none."""

from soak_rq import queue, retry, task

from soak import kit


def submit(_key, payload):
    """Every submission is a job."""
    queue.enqueue(task, payload, retry=retry())


def census():
    """Jobs that wait, and those that RQ takes for running. Those that are done it forgets after 500 s."""
    waiting = queue.count + queue.scheduled_job_registry.get_job_count(cleanup=False)
    return {"pending": waiting, "in_progress": queue.started_job_registry.get_job_count(cleanup=False)}


kit.serve(submit=submit, census=census)
