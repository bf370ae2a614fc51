"""Offered models: those of the environment and those stored, which take precedence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared import settings
from shared.config import load
from shared.errors import InvalidRequest, Misconfigured
from shared.problems import Problem, detail
from shared.repos.models import ModelStatus
from shared.version import RELEASED_AT


@dataclass(frozen=True)
class Offered:
    """`created_at` is in seconds: when the model was stored.

    One that only the environment names has no such time; it has that of this version's release,
    which is the same at all instances. `vision` says that an upstream takes pictures.
    """

    name: str
    title: str
    vision: bool = False
    created_at: int = RELEASED_AT


def require_offered(name: str | None, names: Sequence[str]) -> None:
    """Check the model of a request, which may name none.

    Raises: InvalidRequest: it is not one of these names; Misconfigured: there are none.
    """
    if not names:
        raise Misconfigured(problems=["no model is enabled"])
    if name and name not in names:
        problem = Problem(f"must be {' or '.join(names)}", f"必须是 {' 或 '.join(names)}")
        raise InvalidRequest(details=[detail("body.model", problem)])


def in_environment() -> list[str]:
    """The models of UPSTREAMS, or the one of OPENAI_MODEL."""
    default, listed = load(settings.DefaultModel).name, load(settings.Upstreams).upstreams
    return list(dict.fromkeys(one.serves or default for one in listed)) or [default]


def offered(environment: Sequence[str], stored: Sequence[ModelStatus]) -> list[Offered]:
    """The default one first, then the others of the environment, then those only stored."""
    by_name = {model.name: model for model in stored}
    default = load(settings.DefaultModel).name
    names = dict.fromkeys([*environment, *by_name])
    return [
        _offered(name, by_name.get(name), environment)
        for name in sorted(names, key=lambda name: name != default)
        if name not in by_name or _is_offered(by_name[name], environment)
    ]


def _offered(name: str, model: ModelStatus | None, environment: Collection[str]) -> Offered:
    vision = _sees(name, model, environment)
    if model is None:
        return Offered(name, name, vision)
    return Offered(name, model.title, vision, model.created_at_ms // 1000)


def _is_offered(model: ModelStatus, environment: Collection[str]) -> bool:
    """Whether a stored model is enabled and has an upstream, stored or of the environment."""
    has_upstream = model.enabled_upstreams or serves(model, environment)
    return bool(model.is_enabled and has_upstream)


def _sees(name: str, model: ModelStatus | None, environment: Collection[str]) -> bool:
    if model and model.seeing_upstreams:
        return True
    default, listed = load(settings.DefaultModel), load(settings.Upstreams).upstreams
    seeing = {one.serves or default.name for one in listed if one.vision}
    if not listed and default.vision:
        seeing.add(default.name)
    return name in seeing and serves(model, environment)


def serves(model: ModelStatus | None, environment: Collection[str]) -> bool:
    """Whether the environment's upstreams serve a model; None is a model that is not stored."""
    return model is None or (model.upstreams == 0 and model.name in environment)
