"""No field, query or date of a client is an error of the server."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.drugs.index import handler
from tests.events import Reply, invoke
from tests.functions.drugs.test_list import ASPIRIN
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("given")

# The database of a test is shared by its examples.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
DATES = st.dates().map(str) | TEXTS | st.integers()
VALUES = st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS, max_size=3)


@pytest.fixture
def token() -> str:
    return new_person().token


def ask(method: str, path: str, **request: Any) -> Reply:
    reply = invoke(handler, method, path, **request)
    assert reply.status < 500, reply.body
    return reply


@shared
@given(
    st.fixed_dictionaries({"produced_on": DATES, "expires_on": DATES}),
    st.dictionaries(st.sampled_from([*ASPIRIN, "media_ids", "recognition_id", "x"]), VALUES),
)
def test_any_medicine_is_stored_and_read_back_or_refused(
    token: str, dates: dict[str, object], other: dict[str, object]
) -> None:
    made = ask("POST", "/api/drugs", token=token, json_body={**ASPIRIN, **other, **dates})
    if made.status == 201:
        path = f"/api/drugs/{made.data['id']}"
        assert ask("GET", path, token=token).data == made.data
        ask("DELETE", path, token=token)
    else:
        assert made.status in (404, 422)


@shared
@given(
    st.dictionaries(
        st.sampled_from(["q", "expiring_within_days", "sort", "limit", "cursor"]),
        TEXTS | st.integers().map(str),
    )
)
def test_any_query_is_answered_or_refused(token: str, query: dict[str, str]) -> None:
    assert ask("GET", "/api/drugs", token=token, query=query).status in (200, 422)


@shared
@given(st.dictionaries(st.sampled_from(["media_ids", "locale", "model"]), VALUES))
def test_any_recognition_is_refused_where_there_is_no_picture(
    token: str, body: dict[str, object]
) -> None:
    reply = ask("POST", "/api/drugs/recognize", token=token, json_body=body)
    assert reply.status in (404, 422)
