"""Answers of the fake bucket on the wire, and the faults that break them."""

import base64
import socket
import struct
from http.server import BaseHTTPRequestHandler

from tests.fakes.oss_bucket import Bucket, Fault, Refused

_DRIP_SECONDS = 0.05  # more often than any time limit of a socket


class Wire(BaseHTTPRequestHandler):
    """Sends answers. `key` is the object's, `query` the decoded query, `fault` this request's."""

    protocol_version = "HTTP/1.1"
    bucket: Bucket
    key: str
    query: dict[str, str]
    fault: Fault

    def xml(self, name: str, content: str) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'
        self.answer(200, text.encode(), **{"Content-Type": "application/xml"})

    def refuse(self, refused: Refused) -> None:
        """An error, whose prose quotes signed text as OSS's does."""
        code, ec = f"<Code>{refused.code}</Code>", "<EC>0000-00000001</EC>"
        text = f"<Error>{code}<Message>canary-of-signed-text</Message>{ec}</Error>".encode()
        headers = {"Content-Type": "application/xml", "x-oss-ec": "0000-00000001"}
        if self.command == "HEAD":
            headers["x-oss-err"] = base64.b64encode(text).decode()
        self.answer(refused.status, text, **headers)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        if self.fault.loses:
            self.hang_up()
            return
        if self.fault.drips:
            self._drip()
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.send_header("x-oss-request-id", "test")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self) -> None:
        """Reset the connection without an answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _drip(self) -> None:
        """Send a head that does not end, byte by byte, until the client leaves."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while not self.bucket.gate.wait(_DRIP_SECONDS):
            try:
                self.wfile.write(b"x")
            except OSError:
                return

    def log_message(self, *_: object) -> None:
        pass
