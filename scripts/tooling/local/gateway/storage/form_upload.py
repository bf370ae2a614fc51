"""One form that is being received: its fields are checked before its file is stored."""

from pathlib import Path

from scripts.tooling.local.gateway.storage.errors import MalformedForm
from scripts.tooling.local.gateway.storage.incoming import Incoming
from scripts.tooling.local.gateway.storage.multipart import End, FormDecoder, Part
from scripts.tooling.local.gateway.storage.permissions import check_policy
from shared.credentials import Credentials

_MOST_FIELD_BYTES = 64 * 1024


class FormUpload:
    def __init__(self, root: Path, keys: Credentials, boundary: bytes) -> None:
        self._root, self._keys = root, keys
        self._decoder = FormDecoder(boundary)
        self._fields: dict[str, bytearray] = {}
        self._field_bytes = 0
        self._name = ""
        self._incoming: Incoming | None = None
        self._is_complete = False

    def feed(self, data: bytes) -> None:
        """Raises: Refused."""
        for event in self._decoder.feed(data):
            if isinstance(event, Part):
                self._begin(event.name)
            elif isinstance(event, End):
                self._is_complete = True
            elif self._name == "file" and self._incoming:
                self._incoming.feed(event)
            elif not self._incoming:  # what follows the file is ignored, as by OSS
                self._add(event)

    def _begin(self, name: str) -> None:
        self._name = name if not self._incoming else ""
        if self._name == "file":
            fields = self.fields
            sizes = check_policy(self._keys, fields)
            key, content_type = fields.get("key", ""), fields.get("x-oss-content-type", "")
            self._incoming = Incoming(self._root, key, content_type, sizes)
        elif not self._incoming:
            self._fields[name] = bytearray()
            self._count(len(name))

    def _add(self, data: bytes) -> None:
        self._count(len(data))
        self._fields[self._name] += data

    def _count(self, length: int) -> None:
        self._field_bytes += length
        if self._field_bytes > _MOST_FIELD_BYTES:
            raise MalformedForm("the fields before the file are too long")

    @property
    def fields(self) -> dict[str, str]:
        return {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}

    def complete(self) -> str:
        """Make the file the object; return its ETag. Raises: Refused."""
        if self._incoming is None or not self._is_complete:
            raise MalformedForm("the form has no file, or does not end")
        return self._incoming.complete()

    def close(self) -> None:
        if self._incoming:
            self._incoming.close()
