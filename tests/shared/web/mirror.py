"""Endpoints that return the parsed request, whatever it holds."""

from shared.web.endpoint import Request, Response, endpoint, serve


def _seen(request: Request) -> Response:
    return Response.ok(
        {
            "method": request.method,
            "path": request.url_path,
            "headers": dict(request.headers),
            "query": dict(request.query),
            "body": request.body.decode("latin-1"),
            "client_ip": request.client_ip,
        }
    )


@endpoint("GET", "/mirror", "/镜子", is_strict=False)
def look(request: Request) -> Response:
    return _seen(request)


@endpoint("POST", "/mirror", is_strict=False)
def show(request: Request) -> Response:
    return _seen(request)


@endpoint("POST", "/file", is_strict=False, max_body_bytes=10)
def file(request: Request) -> Response:
    return Response.of(request.body, "application/octet-stream", x_length=str(len(request.body)))


mirror = serve(look, show, file)
