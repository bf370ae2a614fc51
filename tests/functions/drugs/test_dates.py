"""Dates as they are printed become days, or nothing; they are never invented."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.drugs.approval_numbers import approval_number
from functions.drugs.dates import printed_date
from functions.drugs.recognition.reply import InvalidReply, draft_of

MARCH = date(2027, 3, 31)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027年03月", MARCH),
        ("2027年3月5日", date(2027, 3, 5)),
        ("有效期至202703", MARCH),
        ("有效期至：2027.03", MARCH),
        ("20270315", date(2027, 3, 15)),
        ("2027.03", MARCH),
        ("2027-03", MARCH),
        ("2027/03/15", date(2027, 3, 15)),
        ("EXP 03/27", MARCH),
        ("EXP. 03/27", MARCH),
        ("EXP:03/2027", MARCH),
        ("03/2027", MARCH),
        ("03.2027", MARCH),
        ("EXP MAR 2027", MARCH),
        ("Exp. Date: Mar.2027", MARCH),
        ("15 MAR 2027", date(2027, 3, 15)),
        ("MAR 15, 2027", date(2027, 3, 15)),
        ("March 2027", MARCH),
        ("至 2027 年 03 月", MARCH),
        ("有效期至２０２７年０３月止", MARCH),
        ("【有效期】2027-03-15", None),
        ("有效期至 2027 03 15", date(2027, 3, 15)),
        ("2028年2月", date(2028, 2, 29)),
        ("31/03/2027", MARCH),
        ("03/31/2027", MARCH),
        ("05/05/2027", date(2027, 5, 5)),
        ("2099年12月31日", date(2099, 12, 31)),
    ],
)
def test_an_expiry_is_the_last_day_of_use(text: str, day: date | None) -> None:
    assert printed_date(text, day="last") == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2027",
        "2027年",
        "2027年13月",
        "2027年2月30日",
        "2027-00",
        "20270230",
        "202713",
        "0000年00月",
        "1889-03",
        "2100-01",
        "24个月",
        "有效期24个月",
        "36",
        "BJ202703A",
        "03/04/2027",
        "13/27",
        "27/03",
        "2027/03-15",
        "生产日期2025.04 有效期至2027.03",
        "270315",
        "2027.03 or 2027.04",
        "SOON",
        "MARS 2027",
        "Ⅻ 2027",
    ],
)
def test_what_is_no_date_or_could_be_two_is_none(text: str) -> None:
    assert printed_date(text, day="last") is None


def test_a_month_of_production_means_its_first_day() -> None:
    for text in ("生产日期2025年04月", "MFG 04/25", "2025.04"):
        assert printed_date(text, day="first") == date(2025, 4, 1)
    assert printed_date("2025.04.09", day="first") == date(2025, 4, 9)


DAYS = st.dates(date(1990, 1, 1), date(2099, 12, 31))
FORMS = (
    "%Y年%m月%d日",
    "有效期至 %Y-%m-%d",
    "%Y%m%d",
    "%Y.%m.%d",
    "EXP %d %b %Y",
    "%b %d, %Y",
    "%Y/%m/%d",
)


@given(DAYS, st.sampled_from(FORMS))
def test_every_day_is_read_back_from_every_notation(day: date, form: str) -> None:
    assert printed_date(day.strftime(form), day="last") == day


@given(st.text(max_size=80))
@example("²027年03月")
@example("٢٠٢٧年٠٣月")
def test_no_text_is_an_error_and_what_it_says_is_in_it(text: str) -> None:
    found = printed_date(text, day="first")
    assert found is None or 1990 <= found.year <= 2099
    approval_number(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "expires_on", "confidence", "x"]), inner)
        ),
        max_leaves=8,
    ).map(str)
    | st.text(max_size=200)
)
@example('{"name": "' + "x" * 5000 + '"}')
@example("{" * 5000)
@example('{"name": null, "confidence": {"name": NaN}}')
@example('{"name": "a", "confidence": {"name": 2}}')
@example('{"a": ' * 2000 + "1" + "}" * 2000)
def test_no_reply_of_a_model_is_an_error(text: str) -> None:
    with suppress(InvalidReply):
        draft = draft_of(text)
        assert draft.fields.keys() == draft.confidence.keys()


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ('{"name": "Aspirin"}', "Aspirin"),
        ('```json\n{"name": "Aspirin"}\n```', "Aspirin"),
        ('{"thought": {"a": 1}} {"name": "Aspirin"}', "Aspirin"),
        ('{"name": null}', None),
        ('{"name": "未知"}', None),
        ('{"name": " \u200b "}', None),
    ],
)
def test_the_object_in_a_reply_is_found(reply: str, name: str | None) -> None:
    assert draft_of(reply).fields["name"] == name


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I see a box.",
        "[]",
        '{"generic_name": "Aspirin"}',
        '{"name": 5}',
        '{"name": "a", "dosage": ["b"]}',
        '{"name": "a", "confidence": {"name": "high"}}',
        '{"name": "a", "confidence": {"name": 1.1}}',
        '{"name": "a", "confidence": [1]}',
    ],
)
def test_a_reply_of_other_types_is_refused(reply: str) -> None:
    with pytest.raises(InvalidReply):
        draft_of(reply)


def test_dates_in_an_impossible_order_are_both_unknown() -> None:
    draft = draft_of('{"name": "a", "produced_on": "2027.04", "expires_on": "2027.03"}')
    assert (draft.fields["produced_on"], draft.fields["expires_on"]) == (None, None)
    assert draft.confidence["expires_on"] is None
