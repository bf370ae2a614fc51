"""Multipart forms as the fake bucket reads them: fields, then the file; the rest is ignored."""

import re
from dataclasses import dataclass

from tests.fakes.oss_bucket import Refused


@dataclass(frozen=True)
class Form:
    """Field names are in lower case, as OSS compares them."""

    fields: dict[str, str]
    content: bytes
    content_type: str


def read_form(content_type: str, body: bytes) -> Form:
    boundary = re.search(r'multipart/form-data;.*boundary="?([^";]+)"?', content_type)
    if boundary is None:
        raise Refused(412, "RequestIsNotMultiPartContent")
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:]:
        head, found, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'\bname="([^"]*)"', head)
        if not found or name is None:
            break
        if name[1] == b"file":
            typed = re.search(rb"(?i)content-type:\s*([^\r\n]+)", head)
            return Form(fields, content, typed[1].decode() if typed else "")
        fields[name[1].decode().lower()] = content.decode()
    raise Refused(400, "IncorrectNumberOfFilesInPOSTRequest")
