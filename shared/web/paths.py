"""Paths of endpoints: patterns with named segments. Does no I/O."""

_REST = ":path}"


def path_parameters(pattern: str, url_path: str) -> dict[str, str] | None:
    """The named segments of a path that fits the pattern; None where it does not fit.

    `/api/admin/users/{user_id}` fits `/api/admin/users/01ABC` with `{"user_id": "01ABC"}`.
    `/v1/models/{model:path}` fits `/v1/models/a/b` with `{"model": "a/b"}`.
    """
    names = pattern.split("/")
    segments = url_path.split("/", len(names) - 1 if pattern.endswith(_REST) else -1)
    if len(names) != len(segments):
        return None
    found = {}
    for name, segment in zip(names, segments, strict=True):
        if name.startswith("{") and segment:
            found[name[1:-1].removesuffix(":path")] = segment
        elif name != segment:
            return None
    return found
