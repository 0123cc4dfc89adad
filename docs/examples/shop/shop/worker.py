"""The Celery app of a team, as it is in production: nothing in it is soak's."""

import random
import time

from celery import Celery

app = Celery("shop", broker="redis://localhost:6379/0")
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True
app.conf.task_default_queue = "orders"


@app.task(bind=True, max_retries=3)
def charge(self, order):
    """Charge for an order: the bank takes a second or so, and one call in ten fails and is made again."""
    time.sleep(random.uniform(0.5, 1.5))
    if random.random() < 0.1:
        raise self.retry(exc=ConnectionError(f"order {order}: the bank does not answer"), countdown=1)
