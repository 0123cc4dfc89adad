"""Sends a task for each submission; Celery has no keys that it refuses."""

import json
import os
from string import Template

from kombu.exceptions import OperationalError
from soak_celery import HEADER, TASK, app

from soak import kit

OWN = TASK != "soak.work"
COUNTDOWN, OF = float(os.environ["COUNTDOWN"] or 0), int(os.environ["COUNTDOWN_OF"])


def submit(key, payload):
    """Busy: nobody listens at the broker's port, so that nothing was sent."""
    number = json.loads(payload)["number"]
    options = {"countdown": COUNTDOWN} if COUNTDOWN and number % OF == 0 else {}
    try:
        app.send_task(TASK, args=arguments(key, payload, number), headers={HEADER: payload}, retry=False, **options)
    except OperationalError as error:
        if isinstance(error.__cause__, ConnectionRefusedError):
            raise kit.Busy(str(error)) from error
        raise


def arguments(key, payload, number):
    """What the task is called with."""
    if not OWN:
        return [payload]
    values = {name: json.dumps(each)[1:-1] for name, each in {"key": key, "payload": payload}.items()}
    return json.loads(Template(os.environ["ARGS"]).substitute(values, number=number))


kit.serve(submit=submit)
