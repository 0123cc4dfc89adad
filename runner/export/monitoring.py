"""Files for a team's monitoring: alert rules, their tests, and a dashboard, from one scenario."""

import msgspec
import yaml

from soak.runner.export.grafana import dashboard
from soak.runner.export.rule_tests import rule_tests
from soak.runner.export.rules import rule_file
from soak.schemas.language.model import Scenario

RULES, TESTS, DASHBOARD = "alert_rules.yaml", "alert_rules_test.yaml", "dashboard.json"


def monitoring_files(scenario: Scenario, speed: float) -> dict[str, bytes]:
    """The files by name."""
    return {
        RULES: _yaml(rule_file(scenario, speed)),
        TESTS: _yaml(rule_tests(scenario, speed, RULES)),
        DASHBOARD: msgspec.json.format(msgspec.json.encode(dashboard(scenario)), indent=2) + b"\n",
    }


def _yaml(data: object) -> bytes:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120).encode()
