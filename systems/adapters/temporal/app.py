"""A Temporal worker with one workflow, whose activity has soak's body: `python app.py NAME`."""

import asyncio
import os
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from soak import kit

QUEUE = TASK = "soak"
SETTINGS = kit.settings()
HEARTBEAT_S = float(os.environ["HEARTBEAT"] or 0)


@activity.defn(name="attempt")
async def attempt(payload: str) -> None:
    """An attempt. While its body runs, it sends heartbeats, if the options say so."""
    body = asyncio.create_task(asyncio.to_thread(run, payload, activity.info().attempt))
    while not body.done():
        await asyncio.wait({body}, timeout=HEARTBEAT_S / 3 or None)
        if HEARTBEAT_S:
            activity.heartbeat()
    await body


def run(payload: str, number: int) -> None:
    """The body; what it ends with, as Temporal wants it."""
    try:
        kit.attempt(payload, attempt=number, worker=sys.argv[1])
    except (kit.TransientError, kit.PermanentError) as error:
        raise ApplicationError(str(error), non_retryable=isinstance(error, kit.PermanentError)) from None


@workflow.defn(name=TASK)
class Task:
    """One activity, under the scenario's retries and the timeouts of the options."""

    @workflow.run
    async def run(self, payload: str) -> None:
        """Until it is done, or its attempts are used up."""
        waits = SETTINGS["backoff_s"] or [0.001]
        factor = waits[1] / waits[0] if len(waits) > 1 else 1.0
        await workflow.execute_activity(
            attempt,
            payload,
            start_to_close_timeout=timedelta(seconds=float(os.environ["TIMEOUT"])),
            heartbeat_timeout=timedelta(seconds=HEARTBEAT_S) if HEARTBEAT_S else None,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=waits[0]),
                backoff_coefficient=max(1.0, factor),
                maximum_interval=timedelta(seconds=max(waits)),
                maximum_attempts=SETTINGS["max_attempts"],
            ),
        )


async def main() -> None:
    """Work until killed, or until a signal."""
    client = await Client.connect(os.environ["TEMPORAL"], identity=sys.argv[1])
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Task],
        activities=[attempt],
        max_concurrent_activities=1,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
