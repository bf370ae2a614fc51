"""GET /api/admin/usage: requests, tokens, times, revenue and costs of a period."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from shared import settings
from shared.accounts import auth
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.errors import InvalidRequest
from shared.pricing import cost_fen
from shared.problems import Problem, detail
from shared.repos.reports import usage
from shared.repos.reports.usage import UsageTotals
from shared.times import SHANGHAI, day_start_ms, now_ms, shanghai_day
from shared.web.endpoint import Request, Response, endpoint
from shared.web.periods import Moment, Period

_MOST_DAYS = 92
_USUAL_DAYS = 7
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
_MOST_ROWS = 1000
_MOST_TURNS = 120_000  # 100,000 take up to 2.3 s; more would exceed the query's time limit


def _day(moment: datetime) -> datetime:
    """The start of a day, because the rows of a report are sums of days."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(
            Problem(
                f"must be in the years {_FIRST_YEAR} to {_LAST_YEAR}",
                f"年份必须在 {_FIRST_YEAR} 到 {_LAST_YEAR} 之间",
            )
        )
    if moment.astimezone(SHANGHAI).time() != time.min:
        raise ValueError(
            Problem(
                "must be a day, or its start, in Asia/Shanghai", "必须是北京时间的某一天，或其零点"
            )
        )
    return moment


Day = Annotated[Moment, AfterValidator(_day)]


def _date(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def _today() -> date:
    return date.fromisoformat(shanghai_day(now_ms()))


class UsageQuery(Period):
    """A period of whole days in Asia/Shanghai."""

    group: Literal["day", "model", "user", "upstream"] = "day"
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None

    @property
    def first(self) -> date:
        return _date(self.from_) if self.from_ else self.end - timedelta(days=_USUAL_DAYS)

    @property
    def end(self) -> date:
        """The day after the last one."""
        return _date(self.to) if self.to else _today() + timedelta(days=1)

    @model_validator(mode="after")
    def _is_bounded(self) -> "UsageQuery":
        if not timedelta(0) <= self.end - self.first <= timedelta(days=_MOST_DAYS):
            raise ValueError(
                Problem(
                    f"from must be before to, by at most {_MOST_DAYS} days",
                    f"from 必须早于 to，且最多相差 {_MOST_DAYS} 天",
                )
            )
        return self


@endpoint("GET", "/api/admin/usage", query=UsageQuery)
def get_usage(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_usage_json, request.parse_query(UsageQuery)))


def _usage_json(db: Connection, query: UsageQuery) -> dict[str, object]:
    _refuse_removed(query)
    period = _start_ms(query.first), _start_ms(query.end)
    turns = usage.count_turns(db, *period)
    if turns > _MOST_TURNS:
        problem = Problem(
            f"{turns} requests in this period; at most {_MOST_TURNS} can be summed up",
            f"该时段有 {turns} 个请求，最多可汇总 {_MOST_TURNS} 个",
        )
        raise InvalidRequest(details=[detail("query.from", problem)])
    rows = usage.sums(db, query.group, *period, count=_MOST_ROWS + 1)
    shown = rows[:_MOST_ROWS]
    if query.group == "day":
        shown.sort(key=lambda row: row.name or "")
    return {
        "group": query.group,
        "from": query.first.isoformat(),
        "to": query.end.isoformat(),
        "rows": [sum_json(row) for row in shown],
        "complete": len(rows) <= _MOST_ROWS,
    }


def _refuse_removed(query: UsageQuery) -> None:
    """Raises: InvalidRequest: maintenance has removed turns of the period."""
    days = load(settings.Retention).turns_days
    first = _today() - timedelta(days=days)
    if days and query.first < first:
        problem = Problem(
            f"turns are kept for {days} days (KEEP_TURNS_DAYS); the first day is {first}",
            f"问答记录保留 {days} 天（KEEP_TURNS_DAYS），最早为 {first}",
        )
        raise InvalidRequest(details=[detail("query.from", problem)])


def _start_ms(day: date) -> int:
    return day_start_ms(day.isoformat())


def sum_json(row: UsageTotals) -> dict[str, object]:
    """`key` is the day, the model, the user's id or the upstream; null is all guests together."""
    return {
        "key": row.name,
        "requests": row.requests,
        "success_rate": round(row.answered / row.requests, 4),
        "prompt_tokens": row.prompt_tokens,
        "cached_tokens": row.cached_tokens,
        "completion_tokens": row.completion_tokens,
        "first_token_ms": {
            "p50": row.first_fiftieth,
            "p95": row.first_ninety_fifth,
            "p99": row.first_ninety_ninth,
        },
        "latency_ms": {
            "p50": row.total_fiftieth,
            "p95": row.total_ninety_fifth,
            "p99": row.total_ninety_ninth,
        },
        "revenue_fen": row.charged_fen,
        "cost_fen": None if row.cost_ufen is None else cost_fen(row.cost_ufen),
    }


endpoints = (get_usage,)
