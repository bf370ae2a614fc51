"""The query of an export: a dataset, a format, a delivery and a period."""

from typing import Literal

from pydantic import field_validator

from shared import settings
from shared.config import load
from shared.exports.datasets import DATASETS
from shared.exports.export_request import ExportRequest
from shared.problems import Problem
from shared.web.periods import Period


class ExportQuery(Period):
    dataset: str
    format: Literal["csv", "ndjson", "xlsx"] = "csv"
    delivery: Literal["inline", "link"] | None = None

    @field_validator("dataset")
    @classmethod
    def _exists(cls, name: str) -> str:
        if name not in DATASETS:
            raise ValueError(
                Problem(
                    f"must be one of {', '.join(DATASETS)}",
                    f"必须是以下之一：{', '.join(DATASETS)}",
                )
            )
        return name

    @field_validator("delivery")
    @classmethod
    def _is_possible(cls, delivery: str | None) -> str | None:
        if delivery == "link" and not load(settings.Storage).is_there:
            raise ValueError(
                Problem(
                    "link needs object storage, which this deployment does not have",
                    "link 需要对象存储，此部署没有配置",
                )
            )
        return delivery

    @property
    def export_request(self) -> ExportRequest:
        return ExportRequest(self.dataset, self.format, self.from_ms, self.to_ms)
