"""An administrator's request for an export."""

import json
from dataclasses import asdict, dataclass

from shared.times import iso_utc, iso_utc_if

_END_OF_TIME_MS = 253_402_300_800_000  # the year 10000


@dataclass(frozen=True)
class ExportRequest:
    """The period includes `from_ms` and excludes `to_ms`; None leaves it open."""

    dataset: str
    format: str
    from_ms: int | None = None
    to_ms: int | None = None

    @classmethod
    def from_json(cls, text: str) -> "ExportRequest":
        return cls(**json.loads(text))

    @property
    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def period_ms(self) -> tuple[int, int]:
        return self.from_ms or 0, _END_OF_TIME_MS if self.to_ms is None else self.to_ms

    @property
    def filter(self) -> dict[str, object]:
        """The request as answers and the audit log show it."""
        return {
            "dataset": self.dataset,
            "format": self.format,
            "from": iso_utc_if(self.from_ms),
            "to": iso_utc_if(self.to_ms),
        }

    def filename(self, at_ms: int) -> str:
        return f"{self.dataset}-{iso_utc(at_ms)[:10].replace('-', '')}.{self.format}"
