"""The temporary file of an inline export, and the error if it exceeds the limit."""

from shared import settings
from shared.config import load
from shared.errors import ExportTooLarge
from shared.exports.bounded_file import BoundedFile
from shared.problems import Problem, detail

_WITH_LINKS = (
    "ask with delivery=link, or narrow it with from and to",
    "请使用 delivery=link，或用 from 和 to 缩小范围",
)
_WITHOUT_LINKS = (
    "delivery=link needs object storage, which this deployment does not have,"
    " so narrow it with from and to",
    "delivery=link 需要对象存储，此部署没有配置，请用 from 和 to 缩小范围",
)


class Spool(BoundedFile):
    def too_large(self) -> ExportTooLarge:
        en, zh = _WITH_LINKS if load(settings.Storage).is_there else _WITHOUT_LINKS
        problem = Problem(
            f"an inline answer carries at most {self.limit_bytes} bytes; {en}",
            f"单次响应最多 {self.limit_bytes} 字节；{zh}",
        )
        return ExportTooLarge(details=[detail("query.delivery", problem)])
