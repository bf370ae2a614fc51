"""The storage of the local gateway: forms, PUTs and links as OSS takes them, over a folder."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from scripts.tooling.local.gateway.client import Client, answer
from scripts.tooling.local.gateway.events import Call
from scripts.tooling.local.gateway.platform_rules import Headers
from scripts.tooling.local.gateway.refusals import BodyTooLarge
from scripts.tooling.local.gateway.storage.errors import EntityTooLarge, MethodNotAllowed, Refused
from scripts.tooling.local.gateway.storage.form_upload import FormUpload
from scripts.tooling.local.gateway.storage.incoming import Incoming
from scripts.tooling.local.gateway.storage.multipart import boundary_of
from scripts.tooling.local.gateway.storage.outgoing import send_object
from scripts.tooling.local.gateway.storage.permissions import Sizes, check_url
from scripts.tooling.manifest.s_yaml import Manifest
from shared.config import Secret
from shared.storage.folder_bucket import LINK_PATH, folder_keys

_MOST_BODY_BYTES = 256 * 1024 * 1024
_CORS: Headers = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "ETag, Content-Disposition, Content-Range"),
]
_PREFLIGHT: Headers = [
    ("access-control-allow-methods", "GET, POST, PUT"),
    ("access-control-allow-headers", "Content-Type, Range"),
    ("access-control-max-age", "600"),
]


class StorageDoor:
    def __init__(self, manifest: Manifest) -> None:
        """Take the folder and the signing key from the functions that use them."""
        given = [function.environment for function in manifest.functions]
        storing = [one for one in given if one.get("STORAGE_FOLDER")]
        self._folder = storing[0]["STORAGE_FOLDER"] if storing else ""
        self._root = Path(self._folder)
        secret = next((one["JWT_SECRET"] for one in storing if one.get("JWT_SECRET")), "")
        self._keys = folder_keys(Secret(secret))

    def has(self, path: str) -> bool:
        return bool(self._folder) and path.startswith(LINK_PATH)

    async def serve(self, call: Call, client: Client) -> None:
        """Answer one request, also if it is refused. Raises: ClientGone."""
        serve = {
            "GET": self._get,
            "HEAD": self._get,
            "OPTIONS": _preflight,
            "POST": self._post,
            "PUT": self._put,
        }
        try:
            await serve.get(call.method, _refuse_method)(call, client)
        except Refused as refused:
            await _refuse(client, refused, call.request_id)
        except BodyTooLarge:
            too_large = EntityTooLarge(f"the body is over {_MOST_BODY_BYTES} bytes")
            await _refuse(client, too_large, call.request_id)

    async def _post(self, call: Call, client: Client) -> None:
        def begin() -> Upload:
            boundary = boundary_of(call.header("content-type"))
            return FormUpload(self._root, self._keys, boundary)

        await _receive(client, begin)

    async def _put(self, call: Call, client: Client) -> None:
        def begin() -> Upload:
            key = self._checked(call).key
            sizes = Sizes(0, _MOST_BODY_BYTES)
            return Incoming(self._root, key, call.header("content-type"), sizes)

        await _receive(client, begin)

    async def _get(self, call: Call, client: Client) -> None:
        link = self._checked(call)
        shown = link.query.get("response-content-disposition", "")
        headers = [*_CORS, ("content-disposition", shown)] if shown else _CORS
        await send_object(client, self._root, link.key, call.header("range"), headers)

    def _checked(self, call: Call) -> "_Target":
        """Raises: AccessDenied, SignatureDoesNotMatch."""
        target = _Target.of(call)
        headers = {
            name.decode("latin-1"): call.header(name.decode("latin-1")) for name, _ in call.headers
        }
        check_url(self._keys, call.method, target.key, target.query, headers)
        return target


class Upload(Protocol):
    def feed(self, data: bytes, /) -> None: ...
    def complete(self) -> str: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class _Target:
    key: str
    query: dict[str, str]

    @classmethod
    def of(cls, call: Call) -> "_Target":
        key = call.path.removeprefix(LINK_PATH)
        return cls(key, dict(parse_qsl(call.query, keep_blank_values=True)))


async def _receive(client: Client, begin: Callable[[], Upload]) -> None:
    """Store the body and answer with its ETag. Raises: Refused.

    A refused body is read to its end too: a client that still sends does not see an answer.
    """
    chunks = client.chunks(_MOST_BODY_BYTES)
    try:
        with closing(begin()) as upload:
            async for chunk in chunks:
                upload.feed(chunk)
            etag = upload.complete()
    except Refused:
        async for _ in chunks:
            pass
        raise
    await answer(client, 200, [*_CORS, ("etag", f'"{etag}"')], b"")


async def _refuse(client: Client, refused: Refused, request_id: str) -> None:
    headers = [*_CORS, ("content-type", "application/xml")]
    await answer(client, refused.status, headers, refused.body(request_id))


async def _preflight(_: Call, client: Client) -> None:
    await answer(client, 200, [*_CORS, *_PREFLIGHT], b"")


async def _refuse_method(call: Call, _: Client) -> None:
    raise MethodNotAllowed(f"{call.method} is not for files")
