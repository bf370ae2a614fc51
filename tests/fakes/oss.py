"""A fake OSS bucket on a real socket, which checks signatures, and fails on demand."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.oss_bucket import BUCKET, KEY, REGION, Begun, Bucket, Fault, Object, Refused
from tests.fakes.oss_multipart import MultipartActions
from tests.fakes.oss_objects import ObjectActions
from tests.fakes.oss_signature import Key, Signed, refusal

__all__ = ["BUCKET", "KEY", "REGION", "Begun", "Bucket", "Key", "Object", "running"]


class _Handler(MultipartActions, ObjectActions):
    def _serve(self) -> None:
        self.fault = Fault()
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            self._route()
            self._act(body)
        except Refused as refused:
            self.refuse(refused)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _route(self) -> None:
        parts = urlsplit(self.path)
        path, self.query = unquote(parts.path), dict(parse_qsl(parts.query, True))
        found = re.fullmatch(f"/{BUCKET}/(.*)", path, re.DOTALL)
        if found is None:
            raise Refused(404, "NoSuchBucket")
        self.key = found[1]
        if self._name() == "form":  # its policy is signed instead of the request
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        signed = Signed(self.command, path, self.query, headers)
        problem = refusal(signed, self.bucket.key, REGION)
        if problem:
            raise Refused(403, problem)

    def _name(self) -> str:
        """The name of the action, which tests give for faults."""
        names = {
            ("POST", "uploads"): "begin",
            ("PUT", "uploadId"): "part",
            ("POST", "uploadId"): "complete",
            ("DELETE", "uploadId"): "abort",
            ("GET", "uploads"): "list_uploads",
            ("GET", "list-type"): "list_objects",
            ("GET", ""): "read",
            ("HEAD", ""): "head",
            ("DELETE", ""): "delete",
            ("PUT", ""): "copy" if "x-oss-copy-source" in self.headers else "put",
            ("POST", ""): "form",
        }
        parameter = next((n for n in ("uploads", "uploadId", "list-type") if n in self.query), "")
        return names[self.command, parameter]

    def _act(self, body: bytes) -> None:
        name = self._name()
        self.fault = self.bucket.fault(name)
        if self.fault.resets:
            self.hang_up()
            return
        if self.fault.status:
            code = "InternalError" if self.fault.status >= 500 else "AccessDenied"
            raise Refused(self.fault.status, code)
        getattr(self, f"_{name}")(body)


@contextmanager
def running(key: Key = KEY, tls: ssl.SSLContext | None = None) -> Iterator[Bucket]:
    bucket = Bucket(key=key)
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        bucket.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield bucket
        finally:
            bucket.gate.set()
            server.shutdown()
            thread.join()
