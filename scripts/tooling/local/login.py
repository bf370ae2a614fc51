"""Logs in as the administrator of `.env` and prints the access token.

It reads `.env` as scripts/dev does, so it works with every password; sourcing the file in a
shell would not.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

import httpx

from scripts.tooling.environment import DEV_URL, local_environment

_SECONDS = 30


class LoginFailed(Exception):
    """The login failed; the message says why, without the credentials."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/login", description=__doc__)
    parser.add_argument("base", nargs="?", default=DEV_URL, help=f"default: {DEV_URL}")
    base = parser.parse_args(arguments).base.rstrip("/")
    try:
        print(_token(base, local_environment(os.environ)))
    except LoginFailed as problem:
        print(f"scripts/login: {problem}", file=sys.stderr)
        return 1
    return 0


def _token(base: str, environ: Mapping[str, str]) -> str:
    """Log in and return the access token. Raises: LoginFailed."""
    credentials = {
        "username": environ.get("ADMIN_USERNAME", "").strip(),
        "password": environ.get("ADMIN_PASSWORD", "").strip(),  # as shared/config.py reads it
    }
    if not all(credentials.values()):
        raise LoginFailed("put ADMIN_USERNAME and ADMIN_PASSWORD into .env first")
    try:
        answer = httpx.post(f"{base}/api/auth/login", json=credentials, timeout=_SECONDS)
        body = answer.json()
        if answer.is_success and body["code"] == 0:
            return str(body["data"]["access_token"])
        raise LoginFailed(f"{body['error']}: {body['message']}")
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise LoginFailed(f"{base} does not answer ({problem}); is scripts/dev running?") from None
    except (ValueError, LookupError, TypeError):
        raise LoginFailed(f"what answers at {base} is not this backend") from None
