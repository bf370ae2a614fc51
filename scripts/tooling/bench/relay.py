"""A bare relay from clients to a model, to compare with: starlette, httpx, and nothing else."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@asynccontextmanager
async def _with_client(app: Starlette) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=os.environ["MODEL_URL"], timeout=30) as client:
        app.state.client = client
        yield


async def _pass_on(request: Request) -> Response:
    answer = await request.app.state.client.post("/chat/completions", json=await request.json())
    return Response(answer.content, answer.status_code, media_type="application/json")


app = Starlette(
    routes=[Route("/v1/chat/completions", _pass_on, methods=["POST"])], lifespan=_with_client
)
