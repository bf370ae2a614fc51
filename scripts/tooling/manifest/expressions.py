"""YAML with the line of each string, and the evaluation of `${...}` expressions in it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_PLACEHOLDER = re.compile(r"\$\{(.*?)\}", re.DOTALL)
_TERM = re.compile(
    r"""\s*(?:
        env\(\s*(?P<quote>['"])(?P<name>\w+)(?P=quote)\s*
            (?:,\s*(?P<mark>['"])(?P<default>.*?)(?P=mark)\s*)?\)
      | (?P<path>(?:vars|resources)(?:\.\w+)+)
    )\s*(?P<more>\|\||$)""",
    re.VERBOSE | re.DOTALL,
)
_MERGE = "tag:yaml.org,2002:merge"
_STRING = "tag:yaml.org,2002:str"


class ManifestError(Exception):
    """The manifest cannot be used; the message names the file and the line."""


class Text(str):
    """A string that remembers its line. Mapping keys are such strings too."""

    __slots__ = ("line",)
    line: int

    def __new__(cls, text: str, line: int) -> "Text":
        made = super().__new__(cls, text)
        made.line = line
        return made


def line_of(text: str) -> int:
    return text.line if isinstance(text, Text) else 0


class _Absent:
    """A value that needs an unset variable; its key is left out."""


ABSENT = _Absent()


def read_yaml(text: str, file_name: str) -> Any:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as problem:
        raise ManifestError(f"{file_name}: {problem}") from None
    return _plain(node, file_name) if node else {}


def _plain(node: yaml.Node, file_name: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, file_name)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, file_name) for item in node.value]
    if node.tag == _STRING:
        return Text(node.value, node.start_mark.line + 1)
    return yaml.constructor.SafeConstructor().construct_object(node)


def _mapping(node: yaml.MappingNode, file_name: str) -> dict[str, Any]:
    """A mapping; its own keys and their lines win over merged ones (`<<`)."""
    own: dict[str, Any] = {}
    inherited: dict[str, Any] = {}
    for key, value in node.value:
        if key.tag == _MERGE:
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                inherited = {**_mapping(source, file_name), **inherited}
        elif key.value in own:
            raise ManifestError(f"{file_name}:{key.start_mark.line + 1}: {key.value} stands twice")
        else:
            own[Text(key.value, key.start_mark.line + 1)] = _plain(value, file_name)
    return {**{key: inherited[key] for key in inherited if key not in own}, **own}


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings recursively and replace all other values, like `extend`."""
    merged = {key: value for key, value in base.items() if key not in over}
    for key, value in over.items():
        below = base.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = deep_merge(below, value)
        merged[key] = value
    return merged


@dataclass(frozen=True)
class Scope:
    """The values that expressions may refer to. Without `strict` a missing variable is no error."""

    document: Mapping[str, Any]
    environ: Mapping[str, str]
    file_name: str
    strict: bool = True

    def resolve(self, value: Any) -> Any:
        """Evaluate all expressions in a value.

        Raises: ManifestError for an unknown expression or a missing variable.
        """
        if isinstance(value, Mapping):
            return self._resolved_mapping(value)
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not ABSENT]
        return self._resolved_text(value) if isinstance(value, str) else value

    def _resolved_mapping(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
        resolved = {key: self.resolve(value) for key, value in mapping.items()}
        return {key: value for key, value in resolved.items() if value is not ABSENT}

    def _resolved_text(self, text: str) -> Any:
        whole = _PLACEHOLDER.fullmatch(text)
        if whole and "${" not in whole[1]:
            return self._located(self._evaluate(whole[1], text), text)
        parts = [self._evaluate(match[1], text) for match in _PLACEHOLDER.finditer(text)]
        if ABSENT in parts:
            return ABSENT
        values = iter(parts)
        return self._located(_PLACEHOLDER.sub(lambda _: str(next(values)), text), text)

    def _located(self, value: Any, origin: str) -> Any:
        return Text(value, line_of(origin)) if isinstance(value, str) else value

    def _evaluate(self, expression: str, origin: str) -> Any:
        """Evaluate `a || b`: the first value that is not empty, else the last."""
        value: Any = ""
        for term in self._terms(expression, origin):
            value = self._term(term, origin)
            if value or value is ABSENT:
                break
        return value

    def _terms(self, expression: str, origin: str) -> Iterator["re.Match[str]"]:
        position, more = 0, True
        while more:
            term = _TERM.match(expression, position)
            if not term:
                raise self._problem(f"${{{expression}}} is no expression known here", origin)
            yield term
            position, more = term.end(), bool(term["more"])

    def _term(self, term: "re.Match[str]", origin: str) -> Any:
        if term["path"]:
            return self._path(term["path"], origin)
        value = self.environ.get(term["name"]) or term["default"]
        if value is None and self.strict:
            raise self._problem(f"{term['name']} is not set", origin)
        if value and _PLACEHOLDER.search(value):
            raise self._problem(f"{term['name']} holds ${{...}}, which would be evaluated", origin)
        return ABSENT if value is None else value

    def _path(self, path: str, origin: str) -> Any:
        value: Any = self.document
        for step in path.split("."):
            if not isinstance(value, Mapping) or step not in value:
                raise self._problem(f"${{{path}}} does not exist", origin)
            value = value[step]
        return self.resolve(value)

    def _problem(self, text: str, origin: str) -> ManifestError:
        return ManifestError(f"{self.file_name}:{line_of(origin)}: {text}")
