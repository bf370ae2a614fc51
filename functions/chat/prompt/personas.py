"""Personas: system messages from the files in `texts/`, one for each type and language."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "texts"


@cache
def prompt(type_: str, language: str) -> str:
    """`type_` is one of PERSONA_TITLES, `language` zh or en."""
    return (_FOLDER / f"{type_}.{language}.md").read_text("utf-8").strip()
