"""When alerts fire, as Prometheus' own judge of rules has it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.charts import WITH_DATABASE, render

AWAY = "HeadgateDependencyIsAway"


@dataclass(frozen=True)
class Judge:
    """Looks at series of one sample each half minute, in promtool's notation, and at the chart's alerts."""

    promtool: Path
    folder: Path

    def fires(self, alert: str, series: Mapping[str, str], at: str) -> Sequence[str]:
        """The summaries with which the alert fires at that time."""
        settings = {**WITH_DATABASE, "metrics": {"prometheusRule": {"enabled": True}}}
        rules = render(settings).one("PrometheusRule", "headgate-operator")["spec"]
        tests = {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "30s",
            "tests": [
                {
                    "interval": "30s",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    # What is expected is none, and what there is instead is told.
                    "alert_rule_test": [{"alertname": alert, "eval_time": at, "exp_alerts": []}],
                }
            ],
        }
        (self.folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        (self.folder / "tests.yaml").write_text(yaml.safe_dump(tests))
        program = [str(self.promtool), "test", "rules", "tests.yaml"]
        judged = subprocess.run(program, cwd=self.folder, capture_output=True, text=True, check=False)
        told = judged.stdout + judged.stderr
        assert judged.returncode == 0 or "got:" in told, told
        return sorted({part.partition('"')[0] for part in told.partition("got:")[2].split('summary="')[1:]})


@pytest.fixture
def judge(promtool: Path, tmp_path: Path) -> Judge:
    return Judge(promtool, tmp_path)


def a_replica(dependency: str, up: str, failures: str) -> dict[str, str]:
    labels = f'{{dependency="{dependency}",pod="a"}}'
    return {f"headgate_dependency_up{labels}": up, f"headgate_dependency_failures_total{labels}": failures}


def test_something_that_is_away_for_minutes_is_told(judge: Judge) -> None:
    away = a_replica("postgres", "1x3 0x20", "0x3 3+1x20") | a_replica("kubernetes", "1x24", "0x24")

    assert judge.fires(AWAY, away, "2m") == []
    assert judge.fires(AWAY, away, "8m") == ["Headgate is not answered by its postgres"]


def test_what_is_back_is_told_no_more(judge: Judge) -> None:
    back = a_replica("postgres", "0x10 1x10", "3+1x10 13x10")

    assert judge.fires(AWAY, back, "4m") != []
    assert judge.fires(AWAY, back, "6m") == []


def test_what_fails_now_and_then_is_not_away(judge: Judge) -> None:
    assert judge.fires(AWAY, a_replica("object_store", "1x20", "0+1x20"), "9m") == []


def test_what_was_found_away_and_is_asked_by_nobody_is_not_told_for_ever(judge: Judge) -> None:
    assert judge.fires(AWAY, a_replica("object_store", "0x40", "0+1x4 4x36"), "15m") == []


def test_what_has_an_alert_of_its_own_is_told_by_that(judge: Judge) -> None:
    assert judge.fires(AWAY, a_replica("redis", "0x20", "0+1x20"), "8m") == []
