"""Reports of a place: their fields, their consent, and what of them is stored. Does no I/O."""

import math
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from shared.errors import ConsentRequired
from shared.problems import Problem, detail
from shared.repos.locations import Location
from shared.times import DAY_MS, iso_utc, now_ms
from shared.web.pagination import ListQuery
from shared.web.periods import Moment, Period, milliseconds

_CLOCK_SKEW_MS = 5 * 60 * 1000  # a phone's clock may be fast by so much
_LARGEST_ACCURACY_M = 1_000_000


def _of_the_last_day(moment: datetime) -> datetime:
    age_ms = now_ms() - (milliseconds(moment) or 0)
    if age_ms < -_CLOCK_SKEW_MS:
        raise ValueError(Problem("must not be in the future", "不能是将来的时间"))
    if age_ms > DAY_MS:
        raise ValueError(Problem("must be at most a day ago", "不能早于一天之前"))
    return moment


# JSON numbers within bounds, which leaves out NaN and infinity; no numbers in quotes.
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180)]
Metres = Annotated[float, Field(strict=True, ge=0, le=_LARGEST_ACCURACY_M)]


class ReportLocation(BaseModel):
    """`consent` is any value here, because only `true` is consent: see `require_consent`."""

    latitude: Latitude
    longitude: Longitude
    accuracy_m: Metres | None = None
    recorded_at: Annotated[Moment, AfterValidator(_of_the_last_day)] | None = None
    coordinate_system: Literal["gcj02", "wgs84"] = "gcj02"
    consent: object = None


class LocationsQuery(ListQuery, Period):
    """The period is that of `recorded_at`."""


def require_consent(report: ReportLocation) -> None:
    """Raises: ConsentRequired: `consent` is not the JSON value true."""
    if report.consent is not True:
        raise ConsentRequired(
            details=[detail("body.consent", Problem("must be true", "必须为 true"))]
        )


def rounded(report: ReportLocation, decimals: int) -> ReportLocation:
    """The report with less exact coordinates; an accuracy is rounded up to whole metres."""
    accuracy_m = None if report.accuracy_m is None else math.ceil(report.accuracy_m)
    return report.model_copy(
        update={
            "latitude": _rounded(report.latitude, decimals),
            "longitude": _rounded(report.longitude, decimals),
            "accuracy_m": accuracy_m,
        }
    )


def _rounded(degrees: float, decimals: int) -> float:
    return round(degrees, decimals) + 0.0  # without the sign of -0.0


def location_of(report: ReportLocation, id_: str, user_id: str, at_ms: int) -> Location:
    """A time in the future, from a clock that is fast, becomes the present."""
    recorded_at_ms = milliseconds(report.recorded_at)
    return Location(
        id=id_,
        user_id=user_id,
        latitude=report.latitude,
        longitude=report.longitude,
        coordinate_system=report.coordinate_system,
        accuracy_m=None if report.accuracy_m is None else int(report.accuracy_m),
        recorded_at_ms=at_ms if recorded_at_ms is None else min(recorded_at_ms, at_ms),
        consented_at_ms=at_ms,
    )


def location_json(location: Location) -> dict[str, object]:
    return {
        "id": location.id,
        "latitude": location.latitude,
        "longitude": location.longitude,
        "coordinate_system": location.coordinate_system,
        "accuracy_m": location.accuracy_m,
        "recorded_at": iso_utc(location.recorded_at_ms),
        "consented_at": iso_utc(location.consented_at_ms),
    }
