"""Welcome text of scripts/dev: its address and example commands."""

from collections.abc import Iterator, Mapping, Sequence

from scripts.tooling.manifest.s_yaml import Route

_JSON = "-H 'Content-Type: application/json'"
_ACCOUNT = '{"email":"me@example.com","password":"a long enough password"}'
_CHAT = (
    '{"type":"oracle","messages":[{"role":"user","content":"你好"}],"locale":"zh","stream":true}'
)


def welcome(base: str, routes: Sequence[Route], environ: Mapping[str, str], *, demo: bool) -> str:
    """The welcome text: at most 15 lines, and the routes if they are given."""
    lines = ["", f"Serving s.yaml on {base}  (Ctrl-C stops everything, --routes lists the routes)"]
    lines += [f"  {', '.join(r.methods):<20} {base}{r.path}" for r in routes]
    lines += [_model_line(demo), "", *_curls(base), "", *_admin_lines(base, environ), ""]
    return "\n".join(lines)


def _model_line(demo: bool) -> str:
    if demo:
        return "DEMO MODEL: no OPENAI_API_KEY is set, so answers are canned, and say so."
    return "Chat goes to the real model of OPENAI_API_URL."


def _curls(base: str) -> Iterator[str]:
    yield f"curl {base}/health"
    yield f"curl -X POST {base}/api/auth/register {_JSON} -d '{_ACCOUNT}'"
    yield f"curl -N -X POST {base}/api/chat {_JSON} -d '{_CHAT}'"


def _admin_lines(base: str, environ: Mapping[str, str]) -> Iterator[str]:
    if environ.get("ADMIN_USERNAME") and environ.get("ADMIN_PASSWORD"):
        yield "As the administrator of .env:"
    else:
        yield "To become administrator put ADMIN_USERNAME and ADMIN_PASSWORD into .env, then:"
    yield f"TOKEN=$(scripts/login {base})"
    export = f"{base}/api/admin/export?dataset=users&format=csv"
    yield f"curl '{export}' -H \"Authorization: Bearer $TOKEN\""
