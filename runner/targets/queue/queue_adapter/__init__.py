"""Queues that workers pull from, of whoever wrote a class for `soak.contract`, as a target."""
