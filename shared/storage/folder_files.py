"""Files of the folder that replaces the bucket: an object, and its description beside it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from shared.ids import new_id

_ABOUT_SUFFIX = ".about.json"
_LONGEST_NAME_BYTES = 180  # a file system takes 255, and files beside an object have longer names
_LONGEST_KEY_BYTES = 1023  # as in OSS


class KeyRefused(ValueError):
    """No object can have this key: it leaves the folder, or names a file beside an object."""


def object_path(root: Path, key: str) -> Path:
    """The file of an object. Raises: KeyRefused."""
    names = key.split("/")
    if len(_bytes(key)) > _LONGEST_KEY_BYTES or not all(_is_plain(name) for name in names):
        raise KeyRefused
    return root.joinpath(*names)


def unfinished(place: Path) -> Path:
    """A hidden name beside the object's, for a file that is not complete."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.with_name(f".{place.name}.{new_id()}")


def finish(half: Path, place: Path, described: Mapping[str, object]) -> None:
    """Make a complete file the object, in place of an older one. Both appear whole."""
    about_half = half.with_name(f"{half.name}.about")
    about_half.write_text(json.dumps(described), "utf-8")
    os.replace(about_half, about_file(place))
    os.replace(half, place)


def about(place: Path) -> dict[str, str]:
    """The description of an object: its `media_type`, and the label of AI text as `aigc`."""
    described: dict[str, str] = json.loads(about_file(place).read_text("utf-8"))
    return described


def about_file(place: Path) -> Path:
    return place.with_name(f"{place.name}{_ABOUT_SUFFIX}")


def _is_plain(name: str) -> bool:
    """Whether it is a name in its folder, neither hidden nor that of a description."""
    return (
        name.isprintable()
        and "\\" not in name
        and 0 < len(_bytes(name)) <= _LONGEST_NAME_BYTES
        and not name.startswith(".")
        and not name.lower().endswith(_ABOUT_SUFFIX)
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
