"""The request of a recognition. Does no I/O."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from functions.drugs.fields import MOST_PICTURES, Id


class RecognizeDrug(BaseModel):
    """Pictures of one package. `locale` is the language of the notice."""

    media_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_PICTURES)]
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    model: Annotated[str, StringConstraints(max_length=128)] | None = None
