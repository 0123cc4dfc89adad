"""Procrastinate with a task whose body is soak's: retries as the scenario says, heartbeats and stalled jobs as the options say.

With APP (`module:name`) the app is one's own, and so are its connector and the settings of its workers.
"""

import os
from importlib import import_module

from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.jobs import Status

from soak import kit

SETTINGS = kit.settings()
TASK = os.environ["TASK"]
STALLED_S = float(os.environ["STALLED"] or 0)


def load():
    """One's own app, or one with the settings of the options."""
    if own := os.environ["APP"]:
        module, _, name = own.partition(":")
        return getattr(import_module(module), name or "app")
    beats = {
        "update_heartbeat_interval": float(os.environ["HEARTBEAT"]),
        "stalled_worker_timeout": float(os.environ["PRUNE"]),
    }
    return App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]), worker_defaults=beats)


class AsTheScenarioSays(BaseRetryStrategy):
    """Transient errors: after the scenario's backoff, up to its attempts. `job.attempts` counts those before this one."""

    def get_retry_decision(self, *, exception, job):
        """When to try again; None: the job has failed."""
        waits = SETTINGS["backoff_s"]
        if not isinstance(exception, kit.TransientError) or job.attempts + 1 >= SETTINGS["max_attempts"]:
            return None
        return RetryDecision(retry_in={"seconds": waits[min(job.attempts, len(waits) - 1)] if waits else 0})


app = load()

if TASK == "soak":

    @app.task(name=TASK, queue=TASK, pass_context=True, retry=AsTheScenarioSays())
    def body(context, payload):
        """An attempt."""
        kit.attempt(payload, attempt=context.job.attempts + 1, worker=context.worker_name)


if STALLED_S:

    @app.periodic(cron="* * * * * */2")
    @app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
    async def retry_stalled(context, timestamp):
        """What the manual advises: jobs whose worker has stopped sending heartbeats are made due again, up to the attempts."""
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S):
            if job.attempts + 1 < SETTINGS["max_attempts"]:
                await app.job_manager.retry_job(job)
            else:
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
