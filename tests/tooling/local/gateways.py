"""A project of test functions, and a gateway process that serves it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scripts.tooling.environment import ROOT
from tests.patience import HANG_SECONDS

MANIFEST = """\
edition: 3.0.0
name: odd
resources:
  echo:
    component: fc3
    props: &builtin-props
      functionName: odd-echo
      code: ./.build/echo
      handler: functions.echo.index.handler
      runtime: python3.12
      cpu: 0.25
      memorySize: 256
      diskSize: 512
      timeout: 20
      environmentVariables: {GREETING: hello, FC_HIDDEN: "1"}
      triggers: []
  hasty:
    component: fc3
    props: {<<: *builtin-props, functionName: odd-hasty, code: ./.build/hasty, timeout: 1}
  broken:
    component: fc3
    props:
      <<: *builtin-props
      functionName: odd-broken
      code: ./.build/broken
      handler: functions.broken.index.handler
  web:
    component: fc3
    props:
      <<: *builtin-props
      functionName: odd-web
      code: ./.build/web
      runtime: custom.debian11
      timeout: 30
      customRuntimeConfig:
        command: [python3]
        args:
          - -m
          - uvicorn
          - functions.web.index:app
          - --host=0.0.0.0
          - --port=9000
          - --no-server-header
          - --no-date-header
          - --log-level=warning
        port: 9000
      environmentVariables: {GREETING: salut, PATH: "/var/fc/lang/python3.12/bin:/usr/bin:/bin"}
  slowweb:
    component: fc3
    props:
      <<: *builtin-props
      functionName: odd-slowweb
      code: ./.build/slowweb
      runtime: custom.debian11
      timeout: 1
      customRuntimeConfig:
        command: [python3, -m, uvicorn, "functions.web.index:app", --port, "9001"]
        args: [--no-server-header, --no-date-header, --log-level=warning]
        port: 9001
  domain:
    component: fc3-domain
    props:
      domainName: auto
      routeConfig:
        routes:
          - {path: "/echo/*", functionName: odd-echo, methods: [GET, HEAD, POST, PUT]}
          - {path: "/hasty/*", functionName: odd-hasty, methods: [GET]}
          - {path: /broken, functionName: odd-broken, methods: [GET]}
          - {path: "/web/*", functionName: odd-web, methods: [GET, POST]}
          - {path: "/slowweb/*", functionName: odd-slowweb, methods: [GET]}
"""

ECHO = '''
import json, logging, os, sys, time
from pathlib import Path

print("imported")

def handler(event, context):
    path = json.loads(event)["requestContext"]["http"]["path"]
    return globals().get("do_" + path.split("/")[2], do_event)(event, context)

def answer(body, status=200, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return {"statusCode": status, "headers": headers, "isBase64Encoded": False, "body": text}

def do_event(event, context):
    return answer(event.decode())

def on_timer(event, context):
    return json.loads(event)["triggerName"] + " is done"

def on_tick(event, context):
    with open("ticks", "ab") as ticks:
        ticks.write(event + b"\\n")

def on_sweep(event, context):
    """Do something the third time alone, and log it as timers do."""
    on_tick(event, context)
    summary = {"swept": int(len(Path("ticks").read_bytes().splitlines()) == 3)}
    about = {"time": "now", "level": "info", "event": "timer", "request_id": "", "latency_ms": 1}
    print(json.dumps({**about, **summary}), flush=True)
    return summary

def on_hitch(event, context):
    raise ValueError("a hitch")

def do_context(event, context):
    return answer(json.dumps(vars(context), default=vars))

def do_environment(event, context):
    return answer(dict(os.environ))

def do_output(event, context):
    """Return the request's body as the raw output."""
    return json.loads(event)["body"]

def do_raise(event, context):
    with open("attempts", "a") as log:
        log.write("x")
    raise ValueError("a secret of the house")

def do_exit(event, context):
    os._exit(3)

def do_hang(event, context):
    time.sleep(60)

def do_print(event, context):
    print("on stdout")
    sys.stderr.write("on stderr\\n")
    os.write(1, b"\\x00E\\xff raw\\n")
    logging.info("a record")
    return answer("printed")

def do_pid(event, context):
    return answer(os.getpid())

def do_binary(event, context):
    return {"statusCode": 200, "headers": {}, "isBase64Encoded": True, "body": "AP/+"}

def do_wait(event, context):
    """Show itself, then wait for the gate to open."""
    Path("waiting-%d" % os.getpid()).touch()
    while not Path("gate").exists():
        time.sleep(0.01)
    return answer("through")
'''

WEB = '''
import asyncio, json, os
from pathlib import Path

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    name = scope["path"].rpartition("/")[2]
    await globals()["do_" + name](scope, receive, send)

async def live(receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    Path("web-stopped").touch()
    await send({"type": "lifespan.shutdown.complete"})

async def body_of(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body")
    return body

async def start(send, *headers, status=200):
    await send({"type": "http.response.start", "status": status, "headers": headers})

async def whole(send, body, *headers):
    await start(send, *headers)
    await send({"type": "http.response.body", "body": body})

async def do_echo(scope, receive, send):
    headers = [[k.decode(), v.decode()] for k, v in scope["headers"]]
    facts = {"method": scope["method"], "path": scope["raw_path"].decode(),
             "query": scope["query_string"].decode(), "headers": headers,
             "body": (await body_of(receive)).decode("latin-1")}
    await whole(send, json.dumps(facts).encode())

do_invoke = do_echo

async def do_environment(scope, receive, send):
    await whole(send, json.dumps(dict(os.environ)).encode())

async def do_pid(scope, receive, send):
    await whole(send, str(os.getpid()).encode())

async def do_port(scope, receive, send):
    await whole(send, str(scope["server"][1]).encode())

async def do_die(scope, receive, send):
    os._exit(3)

async def do_server(scope, receive, send):
    await whole(send, b"", (b"server", b"me"))

async def do_large(scope, receive, send):
    await whole(send, b"", (b"x-large", b"x" * 9000))

async def do_cookies(scope, receive, send):
    await whole(send, b"two", (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))

async def do_stream(scope, receive, send):
    """One chunk at once, the other when the gate opens."""
    await start(send, (b"content-type", b"text/event-stream"))
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    while not Path("gate").exists():
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"last"})

async def do_upload(scope, receive, send):
    """Answer is over when the body is; a file tells of the first part."""
    message = await receive()
    Path("upload-begun").write_bytes(message["body"])
    await whole(send, message["body"] + await body_of(receive))

async def do_abandoned(scope, receive, send):
    await start(send)
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    Path("abandoned").touch()
'''


def write_tree(root: Path) -> None:
    (root / "s.yaml").write_text(MANIFEST)
    sources = {"echo": ECHO, "broken": "import absent_module\n", "web": WEB}
    for name, source in sources.items():
        folder = root / "functions" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "index.py").write_text(textwrap.dedent(source).strip() + "\n")
    (root / "functions" / "__init__.py").touch()
    (root / "shared").mkdir()


@dataclass
class RunningGateway:
    base: str
    root: Path
    process: "subprocess.Popen[bytes]"
    output: Path

    @property
    def log(self) -> str:
        return self.output.read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=HANG_SECONDS)


@contextmanager
def running_gateway(root: Path) -> Iterator[RunningGateway]:
    """Write the tree into `root` and serve it from a process of its own."""
    write_tree(root)
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.tooling.local.gateway_process", str(root)],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NOT_FOR_FUNCTIONS": "1"},
        )
        output = Path(log.name)
        try:
            match = eventually(lambda: re.search(r"serving (http://\S+)", output.read_text()))
            yield RunningGateway(match[1], root, process, output)
        finally:
            process.terminate()
            process.wait(timeout=HANG_SECONDS)


Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None], seconds: float = HANG_SECONDS) -> Found:
    """Call until the result is true, within a time limit."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)
    return found


def process_state(pid: int) -> str:
    """The state letter of Linux: T is stopped, Z is a zombie; empty if there is no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def is_running(pid: int) -> bool:
    return process_state(pid) not in {"", "Z"}
