"""Recognition of a medicine from pictures of its package. It costs one message."""

import asyncio
from collections.abc import Mapping

from functions.drugs import logic
from functions.drugs.recognition.model_choice import choose_model
from functions.drugs.recognition.opening import new_request, open_recognition
from functions.drugs.recognition.reading import read_package
from functions.drugs.recognition.request import RecognizeDrug
from functions.drugs.recognition.settlement import settle
from shared.accounts.tokens import Claims
from shared.database import transactions
from shared.limits.admission import admit_user
from shared.limits.idempotency import client_key
from shared.web.client_ip import language
from shared.web.endpoint import Request


def recognize(request: Request, claims: Claims, body: RecognizeDrug) -> Mapping[str, object]:
    """The draft with its charge, or that of an earlier request with the same key.

    Raises: what `admit_user`, `choose_model`, `open_recognition` and `settle` raise.
    """
    key = client_key(request)
    transactions.autocommit(admit_user, claims)
    model = asyncio.run(choose_model(body.model))
    opened = open_recognition(new_request(claims.user_id, body.media_ids, model, key))
    if isinstance(opened, Mapping):
        return opened
    reading = asyncio.run(read_package(opened, request.credentials))
    notice = logic.notice(language(body.locale or "", request.language))
    return settle(opened.turn, reading, notice)
