"""Timers of the gateway: due times, events, and their end at a reload."""

import json
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

from scripts.tooling.local.gateway.terminal import labelled
from scripts.tooling.local.gateway.timers import Schedule
from scripts.tooling.manifest.s_yaml import ManifestError
from shared.web.timers import timer
from tests.tooling.local.gateways import RunningGateway, eventually, running_gateway

TICKING = """\
  ticking:
    component: fc3
    props:
      <<: *builtin-props
      functionName: odd-ticking
      code: ./.build/ticking
      handler: functions.echo.index.on_tick
      triggers:
        - triggerName: each-second
          triggerType: timer
          triggerConfig: {cronExpression: "* * * * * *", enable: true, payload: tock}
  domain:
"""


def ticks(root: Path) -> list[dict[str, str]]:
    path = root / "ticks"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def manifest(gateway: RunningGateway, old: str, new: str) -> None:
    path, before = gateway.root / "s.yaml", gateway.log.count("reloaded after a change")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    eventually(lambda: gateway.log.count("reloaded after a change") > before)


def test_a_timer_fires_on_time_with_the_event_of_the_platform_until_a_reload_ends_it(
    tmp_path: Path,
) -> None:
    with running_gateway(tmp_path) as gateway:
        manifest(gateway, "  domain:\n", TICKING)
        eventually(lambda: len(ticks(tmp_path)) >= 3)
        manifest(gateway, "payload: tock", "payload: tack")
        eventually(lambda: len([one for one in ticks(tmp_path) if one["payload"] == "tack"]) >= 3)
        told, log = ticks(tmp_path), gateway.log

    assert {one["triggerName"] for one in told} == {"each-second"}
    assert [payload for payload, _ in groupby(told, itemgetter("payload"))] == ["tock", "tack"]
    moments = [one["triggerTime"] for one in told]
    assert moments == sorted(set(moments))  # two deployments never fire the same one
    assert "timer -> ticking done" in log


def test_a_timer_is_shown_when_it_did_something(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        manifest(gateway, "  domain:\n", TICKING.replace("on_tick", "on_sweep"))
        eventually(lambda: len(ticks(tmp_path)) >= 6)
        log = gateway.log

    assert log.count("timer -> ticking done") == 1
    assert (log.count('"swept": 1'), log.count('"swept": 0')) == (1, 0)


@pytest.mark.parametrize(("swept", "lines"), [(0, 0), (2, 1)])
def test_what_our_timers_log_is_known_to_the_gateway(
    capsys: pytest.CaptureFixture[str], swept: int, lines: int
) -> None:
    timer(lambda: {"swept": swept, "ended": 0})(b"", None)
    labelled("timer")(capsys.readouterr().out.rstrip("\n"))

    assert capsys.readouterr().out.count("\n") == lines


def test_a_timer_that_fails_is_an_alarm_and_fires_again(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        manifest(gateway, "  domain:\n", TICKING.replace("on_tick", "on_hitch"))
        eventually(lambda: gateway.log.count("ticking raised ValueError") >= 2)


def test_a_timer_that_cannot_be_run_is_not_deployed(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        path = tmp_path / "s.yaml"
        path.write_text(
            path.read_text().replace("  domain:\n", TICKING.replace("* * * * * *", "* * *"))
        )
        eventually(lambda: "!! not reloaded: '* * *' is no cron expression" in gateway.log)


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("0 * * * * *", "2026-11-25T10:31:00Z"),
        ("*/15 * * * * *", "2026-11-25T10:30:15Z"),
        ("0 0 4 * * *", "2026-11-26T04:00:00Z"),
        ("CRON_TZ=Asia/Shanghai 0 0 4 * * *", "2026-11-25T20:00:00Z"),
        ("0 0 12 ? * MON", "2026-11-30T12:00:00Z"),
        ("0 30 10 1 * *", "2026-12-01T10:30:00Z"),
    ],
)
def test_six_fields_say_when_in_utc_or_in_the_zone_they_name(cron: str, due: str) -> None:
    moment = datetime.fromisoformat("2026-11-25T10:30:00+00:00")

    assert Schedule.of(cron).after(moment).strftime("%Y-%m-%dT%H:%M:%SZ") == due


@pytest.mark.parametrize(
    "cron",
    [
        *("", "* * * * *", "* * * * * * *", "61 * * * * *", "x * * * * *", "@every 1m"),
        *("CRON_TZ=Mars/Base 0 0 4 * * *", "CRON_TZ=Asia/Shanghai 0 4 * * *"),
    ],
)
def test_anything_else_is_refused(cron: str) -> None:
    with pytest.raises(ManifestError):
        Schedule.of(cron)
