"""The query of an export: a dataset, a format, a delivery and a period."""

from typing import Literal

from pydantic import field_validator

from shared import settings
from shared.config import load
from shared.exports.datasets import DATASETS
from shared.exports.export_request import ExportRequest
from shared.web.periods import Period


class ExportQuery(Period):
    dataset: str
    format: Literal["csv", "ndjson", "xlsx"] = "csv"
    delivery: Literal["inline", "link"] | None = None

    @field_validator("dataset")
    @classmethod
    def _exists(cls, name: str) -> str:
        if name not in DATASETS:
            raise ValueError(f"must be one of {', '.join(DATASETS)}")
        return name

    @field_validator("delivery")
    @classmethod
    def _is_possible(cls, delivery: str | None) -> str | None:
        if delivery == "link" and not load(settings.Storage).is_there:
            raise ValueError("link needs object storage, which this deployment does not have")
        return delivery

    @property
    def export_request(self) -> ExportRequest:
        return ExportRequest(self.dataset, self.format, self.from_ms, self.to_ms)
