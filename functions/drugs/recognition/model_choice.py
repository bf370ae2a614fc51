"""Choice of the model of a recognition, which must take pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import ModelCannotSee
from shared.llm import routing
from shared.llm.model_list import Offered, require_offered
from shared.llm.picture_delivery import PictureTerms


@dataclass(frozen=True)
class SeeingModel:
    """A model that takes pictures, how its upstreams take them, and its longest prompt."""

    name: str
    pictures: PictureTerms
    longest_prompt: int


async def choose_model(name: str | None) -> SeeingModel:
    """The model of the request, or the first offered one that takes pictures.

    Raises:
        InvalidRequest: the model is not offered.
        ModelCannotSee: it takes no pictures, or none does.
        Misconfigured: no model is enabled.
        DatabaseUnavailable: the models have not been read yet.
    """
    chosen = _chosen(name, await routing.offered())
    terms = await routing.picture_terms(chosen)
    return SeeingModel(chosen, terms, await routing.longest_prompt(chosen))


def _chosen(name: str | None, offered: Sequence[Offered]) -> str:
    require_offered(name, [one.name for one in offered])
    seeing = [one.name for one in offered if one.vision and name in (None, "", one.name)]
    if not seeing:
        raise ModelCannotSee
    return seeing[0]
