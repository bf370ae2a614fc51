"""The temporary file of an inline export, and the error if it exceeds the limit."""

from shared import settings
from shared.config import load
from shared.errors import ExportTooLarge
from shared.exports.bounded_file import BoundedFile


class Spool(BoundedFile):
    def too_large(self) -> ExportTooLarge:
        way = (
            "ask with delivery=link, or narrow it with from and to"
            if load(settings.Storage).is_there
            else "delivery=link needs object storage, which this deployment does not have,"
            " so narrow it with from and to"
        )
        problem = f"an inline answer carries at most {self.limit_bytes} bytes; {way}"
        return ExportTooLarge(details=[{"field": "query.delivery", "problem": problem}])
