"""What is said of a process that does not become ready."""

from soak.runner.targets.processes.group import Happening, Seen, last_reason


def test_how_a_process_ended_says_more_than_a_probe_of_it_afterwards() -> None:
    refused = Seen(1.0, "a", Happening.RED, reason="Connection refused")
    ended = Seen(2.0, "a", Happening.ENDED, reason="exited with 3")
    down = Seen(3.0, "a", Happening.RED, reason="is down")
    assert last_reason([refused, ended, down], "a") == "exited with 3"
    assert last_reason([refused], "a") == "Connection refused"
    assert last_reason([ended], "b") == ""
