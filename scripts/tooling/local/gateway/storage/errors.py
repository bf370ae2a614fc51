"""Errors of the folder that replaces the bucket, with OSS's statuses and codes."""

from xml.sax.saxutils import escape


class Refused(Exception):
    """The request is refused; `message` is for developers."""

    status, code = 403, "AccessDenied"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def body(self, request_id: str) -> bytes:
        facts = {"Code": self.code, "Message": self.message, "RequestId": request_id}
        content = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in facts.items())
        return f'<?xml version="1.0" encoding="UTF-8"?><Error>{content}</Error>'.encode()


class AccessDenied(Refused):
    """The permission is missing, has expired, or does not allow this."""


class SignatureDoesNotMatch(Refused):
    """The signature is not one of ours for this request."""

    code = "SignatureDoesNotMatch"


class NoSuchKey(Refused):
    """There is no such object."""

    status, code = 404, "NoSuchKey"


class InvalidObjectName(Refused):
    """No object can have this key."""

    status, code = 400, "InvalidObjectName"


class MalformedForm(Refused):
    """The body is not a multipart form with a file."""

    status, code = 400, "MalformedPOSTRequest"


class EntityTooSmall(Refused):
    """The file is smaller than the policy allows."""

    status, code = 400, "EntityTooSmall"


class EntityTooLarge(Refused):
    """The file is larger than the policy allows."""

    status, code = 400, "EntityTooLarge"


class MethodNotAllowed(Refused):
    """The storage has no such request."""

    status, code = 405, "MethodNotAllowed"
