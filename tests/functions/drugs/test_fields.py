"""The fields of a medicine, and the query of the list: what is refused, and how it is stored."""

import pytest

from tests.functions.drugs.test_list import ASPIRIN, add, ask, problems
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "\u200b"),
        ("name", None),
        ("name", "x" * 201),
        ("generic_name", 5),
        ("approval_number", "国药准字H2001234"),
        ("approval_number", "H20012345 or so"),
        ("expires_on", "2027-02-30"),
        ("expires_on", "2027-03"),
        ("expires_on", 1_800_000_000),
        ("expires_on", "2027-03-31T00:00:00Z"),
        ("produced_on", "2027-04-01"),
        ("dosage", "x" * 2001),
        ("media_ids", ["x"] * 7),
        ("media_ids", "x"),
        ("warnings", ["a"]),
        ("version", 1),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    body = {**ASPIRIN, field: value}
    found = problems(ask("POST", token=new_person().token, body=body))
    assert len(found) == 1
    [named] = found
    assert named.startswith(f"body.{field}") or (field == "produced_on" and named == "body")


def test_empty_fields_of_a_form_are_none() -> None:
    body = dict.fromkeys(ASPIRIN, "") | {"name": "  As\u200bpirin\n 100 "}
    drug = ask("POST", token=new_person().token, body=body).data
    assert drug["name"] == "Aspirin 100"
    assert {drug[name] for name in ASPIRIN if name != "name"} == {None}


@pytest.mark.parametrize(
    "number",
    [
        "国药准字H20012345",
        "国药准字Z20012345",
        "国药准字HJ20140001",
        "国药准字SC20200001",
        "注册证号H20140001",
        "进口药品注册证号：H 20140001",
        "ＨＣ２０１６０００１",
    ],
)
def test_forms_of_approval_numbers(number: str) -> None:
    stored = add(new_person().token, approval_number=number)["approval_number"]
    assert stored.isascii() or "号" in stored or "国药准字" in stored
    assert not set(stored) & set("： Ｈ２")


@pytest.mark.parametrize(
    "query", [{"sort": "name"}, {"expiring_within_days": "-1"}, {"q": "x" * 300}]
)
def test_a_wrong_query_is_named(query: dict[str, str]) -> None:
    found = problems(ask("GET", token=new_person().token, query=query))
    assert list(found) == [f"query.{name}" for name in query]
