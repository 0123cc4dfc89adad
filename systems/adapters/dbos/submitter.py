"""Enqueues a workflow for each submission; its id is the key."""

import os
from collections import Counter

from dbos import DBOS, DBOSClient, error

from soak import kit

STATES = {"ENQUEUED": "pending", "DELAYED": "pending", "PENDING": "in_progress", "SUCCESS": "done", "ERROR": "failed"}

DBOS.migrate(os.environ["DATABASE_URL"])
client = DBOSClient(
    system_database_url=os.environ["DATABASE_URL"], application_name="soak", retry_connection_errors=False
)


def submit(key, payload):
    """False: there is a workflow with this id."""
    options = {"workflow_name": "soak", "queue_name": "soak", "workflow_id": key, "workflow_id_reuse_policy": "reject"}
    try:
        client.enqueue(options, payload)
    except error.DBOSWorkflowIDInUseError:
        return False
    return True


def census():
    """How many workflows are in each state."""
    listed = client.list_workflows(name="soak", load_input=False, load_output=False)
    return dict(Counter(STATES.get(workflow.status, workflow.status.lower()) for workflow in listed))


kit.serve(submit=submit, census=census)
