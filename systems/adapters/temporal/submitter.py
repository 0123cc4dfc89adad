"""Starts a workflow for each submission; its id is the key."""

import asyncio
import os

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from soak import kit

REUSE = WorkflowIDReusePolicy[os.environ["REUSE"].upper()]
STATES = {"Completed": "done", "Failed": "failed"}


async def main():
    """Until the runner says no more."""
    client = await Client.connect(os.environ["TEMPORAL"])

    async def submit(key, payload):
        try:
            await client.start_workflow("soak", payload, id=key, task_queue="soak", id_reuse_policy=REUSE)
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def census():
        found = await client.count_workflows("GROUP BY ExecutionStatus")
        counts = {group.group_values[0]: group.count for group in found.groups}
        return {state: counts.get(theirs, 0) for theirs, state in STATES.items()}

    await kit.serve_async(submit=submit, census=census)


asyncio.run(main())
