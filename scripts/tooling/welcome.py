"""What scripts/dev prints when it is ready: where it is, and commands to paste."""

from collections.abc import Iterator, Mapping

from scripts.tooling.manifest import Manifest

_JSON = "-H 'Content-Type: application/json'"
_ACCOUNT = '{"email":"me@example.com","password":"a long enough password"}'
_CHAT = '"type":"oracle","messages":[{"role":"user","content":"你好"}],"locale":"zh"'
_ADMIN = r'"{\"username\":\"$ADMIN_USERNAME\",\"password\":\"$ADMIN_PASSWORD\"}"'
_EXTRACT = """python3 -c 'import json,sys; print(json.load(sys.stdin)["data"]["access_token"])'"""


def welcome(base: str, manifest: Manifest, environ: Mapping[str, str], *, demo: bool) -> str:
    lines = ["", f"Serving s.yaml on {base}  (Ctrl-C stops everything)", ""]
    lines += [f"  {', '.join(r.methods):<20} {base}{r.path}" for r in manifest.routes]
    lines += ["", _model_line(demo), "", *_curls(base), "", *_admin_lines(base, environ), ""]
    return "\n".join(lines)


def _model_line(demo: bool) -> str:
    if demo:
        return "DEMO MODEL: no OPENAI_API_KEY is set, so answers are canned, and say so."
    return "Chat goes to the real model of OPENAI_API_URL."


def _curls(base: str) -> Iterator[str]:
    yield f"curl {base}/api/health"
    yield f"curl -X POST {base}/api/auth/register {_JSON} -d '{_ACCOUNT}'"
    yield f"curl -X POST {base}/api/auth/login {_JSON} -d '{_ACCOUNT}'"
    yield f"curl -X POST {base}/api/chat {_JSON} -d '{{{_CHAT}}}'"
    yield f"curl -N -X POST {base}/api/chat {_JSON} -d '{{{_CHAT},\"stream\":true}}'"


def _admin_lines(base: str, environ: Mapping[str, str]) -> Iterator[str]:
    if not (environ.get("ADMIN_USERNAME") and environ.get("ADMIN_PASSWORD")):
        yield "No admin yet: put ADMIN_USERNAME and ADMIN_PASSWORD into .env, then:"
    yield "set -a; [ -f .env ] && . ./.env; set +a"
    yield f"TOKEN=$(curl -s -X POST {base}/api/auth/login {_JSON} -d {_ADMIN} | {_EXTRACT})"
    export = f"{base}/api/admin/export?dataset=users&format=csv"
    yield f"curl '{export}' -H \"Authorization: Bearer $TOKEN\"  # or ndjson, xlsx"
