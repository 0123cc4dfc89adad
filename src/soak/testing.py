"""The contract of an attached class as a test suite, for your own tests."""

from soak.runner.targets.queue.contract_checks import Result, check_class

__all__ = ["Result", "check_class"]
