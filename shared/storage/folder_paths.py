"""Paths of objects in the folder that replaces the bucket. Does no file access."""

from pathlib import Path

ABOUT_SUFFIX = ".about.json"
_LONGEST_NAME_BYTES = 180  # a file system takes 255, and names of our own are longer than the key's
_LONGEST_KEY_BYTES = 1023  # as in OSS


class KeyRefused(ValueError):
    """No object can have this key: it leaves the folder, or names a file of our own."""


def object_path(root: Path, key: str) -> Path:
    """The file of an object. Raises: KeyRefused."""
    names = key.split("/")
    if len(_bytes(key)) > _LONGEST_KEY_BYTES or not all(_is_plain(name) for name in names):
        raise KeyRefused
    return root.joinpath(*names)


def about_file(path: Path) -> Path:
    """The file beside an object that holds its content type and label."""
    return path.with_name(f"{path.name}{ABOUT_SUFFIX}")


def _is_plain(name: str) -> bool:
    """Whether it is a name in its folder, neither hidden nor of a file beside an object."""
    return (
        name.isprintable()
        and "\\" not in name
        and 0 < len(_bytes(name)) <= _LONGEST_NAME_BYTES
        and not name.startswith(".")
        and not name.lower().endswith(ABOUT_SUFFIX)
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
