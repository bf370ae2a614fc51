"""Locations: reported with consent, stored rounded, listed and deleted by their owner only."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.account.index import handler as account
from functions.export.index import handler as export
from functions.location.index import handler
from functions.maintenance.index import handler as maintenance
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import lowest_id
from shared.repos import locations
from shared.repos.locations import Location
from shared.times import DAY_MS, iso_utc, now_ms
from tests.conftest import Configure
from tests.events import Context, Reply, call, invoke, v1_event
from tests.functions.exports.exporting import csv_rows, sheet_rows
from tests.people import NOON_MS, PASSWORD, Person, admin_token, new_person

PATH = "/api/location"
TIANANMEN = {"latitude": 39.90873, "longitude": 116.39748}
STORED = {"latitude": 39.909, "longitude": 116.397}
DIGITS = ("90873", "39748")  # of the exact place


@pytest.fixture
def anna(database: str) -> Person:
    return new_person("anna")


@pytest.fixture
def ben(database: str) -> Person:
    return new_person("ben")


def report(person: Person, *, key: str = "", **fields: object) -> Reply:
    """Report Tiananmen with consent; `fields` replace what is sent, or remove it if None."""
    asked = {**TIANANMEN, "consent": True, **fields}
    body = {name: value for name, value in asked.items() if value is not None}
    return send(person, json.dumps(body), key=key)


def send(person: Person, body: str, *, key: str = "") -> Reply:
    headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": key} if key else {}
    return call(handler, v1_event("POST", f"{PATH}/report", body=body.encode(), headers=headers))


def listed(person: Person, **query: str) -> Any:
    return invoke(handler, "GET", PATH, token=person.token, query=query).data


def delete(person: Person, location_id: str = "") -> Reply:
    path = f"{PATH}/{location_id}" if location_id else PATH
    return invoke(handler, "DELETE", path, token=person.token)


def ago(**time: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(**time)).isoformat()


def add(person: Person, at_ms: int, **place: Any) -> str:
    """Add a location that was recorded and reported at this time."""
    values = {"latitude": 39.9, "longitude": 116.4, "coordinate_system": "gcj02", **place}
    times = {"recorded_at_ms": at_ms, "consented_at_ms": at_ms}
    location = Location(
        **{"id": lowest_id(at_ms), "accuracy_m": None, **values, **times}, user_id=person.id
    )
    transaction(locations.add, location)
    return location.id


def rows() -> list[dict[str, Any]]:
    return read(lambda db: db.find_all(dict[str, Any], "SELECT * FROM locations ORDER BY id"))


def everything_stored() -> str:
    """All rows of the tables that a report touches, as text."""

    def texts(db: Connection) -> list[dict[str, Any]]:
        tables = ("locations", "idempotency_keys", "rate_limits")
        found = [db.find_all(dict[str, Any], f"SELECT * FROM {table}") for table in tables]  # noqa: S608
        return [row for table in found for row in table]

    return json.dumps(read(texts))


def problem(reply: Reply) -> tuple[int, str, list[str]]:
    return reply.status, reply.error, [one["field"] for one in reply.json["details"]]


def test_a_report_is_stored_rounded_and_answered_as_stored(anna: Person) -> None:
    before = now_ms()
    reply = report(anna, accuracy_m=30.2, recorded_at=ago(hours=2), coordinate_system="wgs84")

    assert reply.status == 201
    assert reply.data == {
        "id": reply.data["id"],
        **STORED,
        "coordinate_system": "wgs84",
        "accuracy_m": 31,
        "recorded_at": reply.data["recorded_at"],
        "consented_at": reply.data["consented_at"],
    }
    [row] = rows()
    assert (row["user_id"], row["latitude"], row["longitude"]) == (anna.id, *STORED.values())
    assert before <= row["consented_at_ms"] <= now_ms()
    assert iso_utc(row["consented_at_ms"]) == reply.data["consented_at"]
    assert 0 <= row["consented_at_ms"] - row["recorded_at_ms"] - 2 * 3600_000 < 600_000
    assert listed(anna) == {"items": [reply.data], "next_cursor": None}


def test_what_a_phone_leaves_out_has_a_default(anna: Person) -> None:
    data = report(anna).data

    assert (data["coordinate_system"], data["accuracy_m"]) == ("gcj02", None)
    assert data["recorded_at"] == data["consented_at"]


@pytest.mark.parametrize(
    ("decimals", "stored"),
    [("0", (40.0, 116.0)), ("1", (39.9, 116.4)), ("6", (39.90873, 116.39748))],
)
def test_a_deployment_chooses_how_exact_places_are(
    anna: Person, configure: Configure, decimals: str, stored: tuple[float, float]
) -> None:
    configure(LOCATION_DECIMALS=decimals)

    data = report(anna).data

    assert (data["latitude"], data["longitude"]) == stored


def test_more_than_six_decimals_are_no_setting(anna: Person, configure: Configure) -> None:
    configure(LOCATION_DECIMALS="7")

    assert (report(anna).error, rows()) == ("misconfigured", [])


@pytest.mark.parametrize("consent", [None, False, "true", 1, "yes", [True], {}])
def test_without_explicit_consent_nothing_is_stored(anna: Person, consent: object) -> None:
    reply = report(anna, consent=consent)

    assert problem(reply) == (422, "consent_required", ["body.consent"])
    assert rows() == []


OUT_OF_RANGE = {
    "latitude": [
        "90.000001",
        "-91",
        "1e400",
        "-1e400",
        "1" + "0" * 400,
        "true",
        '"39.9"',
        "null",
        "[]",
    ],
    "longitude": ["180.000001", "-181", "1e400", "false", '"116"', "{}"],
    "accuracy_m": ["-0.1", "1000000.5", "1e400", "true", '"30"'],
    "coordinate_system": ['"bd09"', '"GCJ02"', "null", "1"],
    "recorded_at": ["1795348800", '"yesterday"', '""', "true", '"9999-12-31T23:59:59-12:00"'],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in OUT_OF_RANGE.items() for value in values],
)
def test_a_value_out_of_range_or_of_another_type_is_refused_by_name(
    anna: Person, field: str, value: str
) -> None:
    body = {**TIANANMEN, "consent": True, field: "HERE"}
    reply = send(anna, json.dumps(body).replace('"HERE"', value))

    assert problem(reply) == (422, "invalid_request", [f"body.{field}"])
    assert rows() == []


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("field", ["latitude", "longitude", "accuracy_m"])
def test_what_is_no_number_in_json_is_refused(anna: Person, field: str, value: str) -> None:
    body = {**TIANANMEN, "consent": True, field: "HERE"}
    reply = send(anna, json.dumps(body).replace('"HERE"', value))

    assert (reply.status, reply.error, rows()) == (400, "malformed_json", [])


@pytest.mark.parametrize("place", [(90, 180), (-90, -180), (0, 0), (-0.0001, -0.0001)])
def test_the_ends_of_the_range_and_its_middle_are_places(
    anna: Person, place: tuple[float, float]
) -> None:
    reply = report(anna, latitude=place[0], longitude=place[1], accuracy_m=0)

    assert reply.status == 201
    assert "-0.0" not in reply.body.decode()
    assert (reply.data["latitude"], reply.data["longitude"]) == tuple(map(round, place))


@pytest.mark.parametrize(
    ("age", "is_taken"),
    [
        ({"hours": 23.9}, True),
        ({"hours": 24.1}, False),
        ({"minutes": -4}, True),
        ({"minutes": -7}, False),
        ({"days": -3000}, False),
    ],
)
def test_a_report_is_of_the_last_day_and_a_fast_clock_is_forgiven(
    anna: Person, age: Mapping[str, float], is_taken: bool
) -> None:
    reply = report(anna, recorded_at=ago(**age))

    if is_taken:
        assert reply.status == 201
        assert reply.data["recorded_at"] <= reply.data["consented_at"]
    else:
        assert problem(reply) == (422, "invalid_request", ["body.recorded_at"])


def test_five_reports_a_minute_are_taken_of_each_user(
    anna: Person, ben: Person, configure: Configure
) -> None:
    configure(LOCATION_LIMIT=None)

    replies = [report(anna) for _ in range(6)]

    assert [reply.status for reply in replies] == [201] * 5 + [429]
    assert replies[-1].error == "rate_limited"
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 60
    assert report(ben).status == 201


def test_a_repeated_report_is_stored_once(anna: Person, ben: Person) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: report(anna, key="one"), range(24)))

    assert {reply.status for reply in replies} == {201}
    assert [reply.data for reply in replies] == [replies[0].data] * 24
    assert len(rows()) == 1
    assert report(ben, key="one").data["id"] != replies[0].data["id"]


def test_a_key_is_for_one_place_and_one_time(anna: Person) -> None:
    first = report(anna, key="one")

    assert report(anna, key="one", latitude=39.90901).data == first.data  # the same when rounded
    for other in ({"latitude": 39.8}, {"accuracy_m": 3}, {"recorded_at": ago(hours=1)}):
        assert report(anna, key="one", **other).error == "idempotency_mismatch"


def test_a_deleted_report_is_not_answered_again(anna: Person) -> None:
    first = report(anna, key="one")
    delete(anna, first.data["id"])

    assert (report(anna, key="one").status, rows()) == (404, [])
    assert str(STORED["latitude"]) not in everything_stored()


def test_exact_coordinates_are_neither_stored_nor_logged(
    anna: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    report(anna, key="one")
    report(anna, consent=False)
    report(anna, latitude=139.90873)
    report(anna, latitude="39.90873")
    send(anna, '{"latitude": 39.90873, "longitude": 116.39748')

    logged = capsys.readouterr().out
    assert logged.count('"event": "request"') >= 5
    for digits in (*DIGITS, "39.909", "116.397"):
        assert digits not in logged
    assert [digits for digits in DIGITS if digits in everything_stored()] == []


def test_the_hash_of_a_request_is_the_same_for_all_places_that_are_stored_as_one(
    anna: Person,
) -> None:
    """So nobody, not even with the secret, finds the exact place by trying."""
    for number, latitude in enumerate((39.9086, 39.9094)):
        report(anna, key=f"key {number}", latitude=latitude)

    sql = "SELECT request_hash FROM idempotency_keys"
    hashes = read(lambda db: db.find_all(lambda request_hash: str(request_hash), sql))
    assert len(hashes) == 2
    assert len(set(hashes)) == 1


def test_a_list_is_the_last_recorded_first_in_pages_and_of_a_period(
    anna: Person, ben: Person
) -> None:
    ids = [add(anna, NOON_MS + number * 3600_000) for number in range(5)]
    add(ben, NOON_MS + 1)

    pages, query = [], {"limit": "2"}
    while data := listed(anna, **query):
        pages.append([one["id"] for one in data["items"]])
        if data["next_cursor"] is None:
            break
        query["cursor"] = data["next_cursor"]
    period = listed(anna, **{"from": "2026-11-22T13:00:00Z", "to": "2026-11-22T15:00:00Z"})

    assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert [one["id"] for one in period["items"]] == [ids[2], ids[1]]
    assert invoke(handler, "GET", PATH, token=anna.token, query={"from": "x"}).status == 422


def test_one_or_all_are_deleted_and_only_ones_own(anna: Person, ben: Person) -> None:
    mine = [report(anna).data["id"] for _ in range(3)]
    others = report(ben).data["id"]

    assert delete(anna, mine[0]).data == {"id": mine[0]}
    assert [delete(anna, one).status for one in (mine[0], others, f"{mine[1]} ")] == [404] * 3
    assert delete(anna).data == {"deleted": 2}
    assert delete(anna).data == {"deleted": 0}
    assert [row["id"] for row in rows()] == [others]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_many_are_deleted_by_several_statements(
    anna: Person, ben: Person, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locations, "_AT_ONCE", 2)
    for number in range(count):
        add(anna, NOON_MS + number)
    other = add(ben, NOON_MS - 1)

    assert delete(anna).data == {"deleted": count}
    assert [row["id"] for row in rows()] == [other]


def test_without_a_valid_token_there_is_no_place_to_see_or_change(anna: Person) -> None:
    report(anna)
    nobody = Person("", "nonsense")

    replies = [report(nobody), delete(nobody), invoke(handler, "GET", PATH)]

    assert [reply.status for reply in replies] == [401] * 3
    assert len(rows()) == 1


def test_maintenance_removes_locations_after_30_days_or_never(
    anna: Person, configure: Configure
) -> None:
    old = [add(anna, now_ms() - 31 * DAY_MS + number) for number in range(150)]
    young = add(anna, now_ms() - 29 * DAY_MS)

    configure(LOCATION_KEEP_DAYS="0")
    assert maintenance(b"{}", Context())["old_locations"] == 0
    configure(LOCATION_KEEP_DAYS=None)
    assert maintenance(b"{}", Context())["old_locations"] == len(old)

    assert [row["id"] for row in rows()] == [young]


def test_a_copy_of_ones_own_data_has_them(anna: Person, ben: Person) -> None:
    mine = report(anna, accuracy_m=5).data
    report(ben)

    copy = invoke(account, "GET", "/api/account/export", token=anna.token).json

    assert copy["locations"] == [mine]


def test_administrators_export_them_the_same_from_every_database(anna: Person) -> None:
    at_ms = now_ms()
    tiny = add(anna, at_ms - 1, latitude=0.000001, longitude=-0.000001)
    north = add(anna, at_ms, latitude=90.0, longitude=116.397, accuracy_m=7)
    token = admin_token()

    def exported(kind: str) -> bytes:
        query = {"dataset": "locations", "format": kind}
        return invoke(export, "GET", "/api/admin/export", token=token, query=query).body

    heading, *lines = csv_rows(exported("csv"))
    assert heading[:4] == ["id", "user_id", "latitude", "longitude"]
    assert [line[:6] for line in lines] == [
        [tiny, anna.id, "0.000001", "-0.000001", "gcj02", ""],
        [north, anna.id, "90.0", "116.397", "gcj02", "7"],
    ]
    documents = [json.loads(line) for line in exported("ndjson").splitlines()]
    assert [(one["latitude"], one["longitude"]) for one in documents] == [
        (0.000001, -0.000001),
        (90.0, 116.397),
    ]
    assert len(sheet_rows(exported("xlsx"))) == 3


def test_deleting_the_account_deletes_them_and_also_a_late_one(anna: Person, ben: Person) -> None:
    report(anna)
    other = report(ben).data["id"]
    deleted = invoke(
        account, "DELETE", "/api/account", token=anna.token, json_body={"password": PASSWORD}
    )
    assert deleted.status == 200
    assert [row["id"] for row in rows()] == [other]
    assert report(anna).error == "invalid_token"

    add(anna, now_ms())  # a report that had begun before the deletion
    maintenance(b"{}", Context())

    assert [row["id"] for row in rows()] == [other]


NUMBERS = st.one_of(st.floats(), st.integers(), st.floats(-200, 200), st.booleans(), st.text())
MOMENTS = st.one_of(
    st.datetimes(timezones=st.none() | st.timezones()).map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}+14:00"),
    st.text(),
    st.integers(),
    st.none(),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NUMBERS, NUMBERS, NUMBERS, MOMENTS)
def test_no_place_and_no_date_breaks_it(
    anna: Person, latitude: Any, longitude: Any, accuracy_m: Any, recorded_at: Any
) -> None:
    body = {"latitude": latitude, "longitude": longitude, "accuracy_m": accuracy_m}
    reply = send(anna, json.dumps({**body, "recorded_at": recorded_at, "consent": True}))

    assert reply.status in {201, 400, 422}, reply.body
    query = {"from": str(recorded_at), "to": str(latitude)}
    assert invoke(handler, "GET", PATH, token=anna.token, query=query).status in {200, 422}
