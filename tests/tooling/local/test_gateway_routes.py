"""Routing of paths to functions."""

import pytest

from scripts.tooling.environment import ROOT
from scripts.tooling.local.gateway.app import find_route
from scripts.tooling.local.gateway.refusals import NoRoute, WrongMethod
from scripts.tooling.manifest.s_yaml import Route, load

ROUTES = (
    Route("/*", ("GET",), "everything"),
    Route("/api/*", ("GET", "POST"), "api"),
    Route("/api/a/b/*", ("GET",), "deep"),
    Route("/api/a", ("GET",), "exact"),
    Route("/api/a", ("POST",), "exact-post"),
    Route("/api/", ("GET",), "folder"),
    Route("/any", (), "any"),
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", "everything"),
        ("GET", "/api", "everything"),
        ("GET", "/api/", "folder"),
        ("GET", "/api/x", "api"),
        ("GET", "/api/a", "exact"),
        ("POST", "/api/a", "exact-post"),
        ("GET", "/api/a/b", "api"),
        ("GET", "/api/a/b/c/d", "deep"),
        ("PATCH", "/any", "any"),
    ],
)
def test_the_exact_path_wins_then_the_longest(method: str, path: str, expected: str) -> None:
    assert find_route(ROUTES, method, path).function == expected


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models/a/b", "/v1/responses"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_everything_under_v1_reaches_the_chat_function(method: str, path: str) -> None:
    routes = load(ROOT / "s.yaml", {}, strict=False).routes

    assert find_route(routes, method, path).function == "chat"


def test_the_nearest_path_decides_about_the_method() -> None:
    with pytest.raises(WrongMethod, match="/api/a is routed for GET, POST only"):
        find_route(ROUTES, "DELETE", "/api/a")


def test_a_path_no_route_matches_is_not_found() -> None:
    with pytest.raises(NoRoute):
        find_route(ROUTES[1:], "GET", "/apis")
