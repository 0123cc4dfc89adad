"""Queues that workers pull from, of whoever wrote a class for `runner.targets.contract`, as a target."""
