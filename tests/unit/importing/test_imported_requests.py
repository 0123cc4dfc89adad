"""Requests of Taurus become kinds of work, where a system sends requests."""

from pathlib import Path

from foreign_files import imported, loaded

TEXT = """
execution: [{concurrency: 5, hold-for: 1m, scenario: shop}]
scenarios:
  shop:
    default-address: http://127.0.0.1:8000
    think-time: 1s
    headers: {X-Soak: "1"}
    requests:
    - /items?limit=10
    - {url: /items, method: post, label: new item, headers: {Content-Type: application/json}, body: {name: "{a}", sizes: [1]}}
    - {url: "http://127.0.0.1:8000/items", method: POST, body: {name: a}}
    - {url: "https://auth.example:8443/token", method: POST, body: "a=1"}
    - {url: "/items/${id}"}
    - {if: "true", then: [/a]}
"""


def test_a_request_is_a_kind_of_work(tmp_path: Path) -> None:
    found = imported(tmp_path, TEXT, "gateway")
    assert found.part["http"] == {
        "url": "http://127.0.0.1:8000",
        "hosts": ["auth.example:8443"],
        "headers": {"X-Soak": "1"},
    }
    json_body = {"name": "{{a}", "sizes": [1]}
    assert [(each["name"], each["share"], each["request"]) for each in found.part["workload"]["kinds"]] == [
        ("GET-items-limit-10", 0.25, {"path": "/items?limit=10"}),
        (
            "new-item",
            0.25,
            {"method": "POST", "path": "/items", "headers": {"Content-Type": "application/json"}, "json": json_body},
        ),
        ("POST-items", 0.25, {"method": "POST", "path": "/items", "form": {"name": "a"}}),
        ("POST-token", 0.25, {"method": "POST", "path": "https://auth.example:8443/token", "body": "a=1"}),
    ]
    assert [each.what for each in found.untranslated] == [
        "/items/${id}: it has a variable of JMeter",
        "a request: it is a loop, condition or script, and not a request",
    ]
    assert "each is drawn with equal share" in str(found.notes)
    assert len(loaded(found.part, "gateway").scenario.workload.kinds) == 4


def test_shares_of_any_number_of_requests_add_up(tmp_path: Path) -> None:
    requests = ", ".join(f"/{number}" for number in range(7))
    text = f"execution: {{concurrency: 1, hold-for: 1m, scenario: {{requests: [{requests}]}}}}"
    found = imported(tmp_path, text, "gateway")
    assert len(found.part["workload"]["kinds"]) == 7
    assert found.part["workload"]["kinds"][0]["name"] == "GET-0"


def test_other_systems_take_the_load_only(tmp_path: Path) -> None:
    found = imported(tmp_path, TEXT)
    assert "http" not in found.part and "kinds" not in found.part["workload"]
    assert found.untranslated == ()
