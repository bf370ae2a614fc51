"""Invite codes: their use limits and lists."""

import re
from dataclasses import replace

import pytest

from shared.accounts.codes import new_code
from shared.database.transactions import read, transaction
from shared.errors import NotFound
from shared.ids import new_id
from shared.repos import invites
from shared.repos.invites import Invite
from tests.people import add_user

NOW_MS = 1_800_000_000_000
INVITE = Invite("SPRING", None, 2, 0, 500, "for friends", True, NOW_MS + 1000, new_id(), NOW_MS)


def use(code: str, *, at_ms: int = NOW_MS) -> bool:
    return transaction(invites.use, code, add_user().id, at_ms=at_ms)


def test_a_new_code_has_groups_of_four_characters_that_do_not_look_alike() -> None:
    assert re.fullmatch(r"([2-9A-HJKMNP-TV-Z]{4}-){2}[2-9A-HJKMNP-TV-Z]{4}", new_code(groups=3))


@pytest.mark.usefixtures("database")
def test_a_code_admits_as_many_as_it_says() -> None:
    assert transaction(invites.add, INVITE)
    assert [use("SPRING") for _ in range(4)] == [True, True, False, False]
    assert read(invites.get, "SPRING") == replace(INVITE, used=2)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "changes",
    [{"is_active": False}, {"expires_at_ms": NOW_MS}, {"used": 2}, {"code": "OTHER"}],
    ids=["deactivated", "expired", "used up", "unknown"],
)
def test_a_code_that_admits_nobody_stays_as_it_is(changes: dict[str, object]) -> None:
    invite = replace(INVITE, **changes)  # type: ignore[arg-type]  # fields of an invite
    transaction(invites.add, invite)

    assert not use("SPRING")

    assert read(invites.get, invite.code) == invite
    assert invite.admits_at(NOW_MS) == (invite.code == "OTHER")


@pytest.mark.usefixtures("database")
def test_without_an_expiry_a_code_is_good_until_it_is_deactivated() -> None:
    transaction(invites.add, replace(INVITE, expires_at_ms=None))
    assert use("SPRING", at_ms=NOW_MS * 2)
    transaction(invites.deactivate, "SPRING")
    assert not use("SPRING")


@pytest.mark.usefixtures("database")
def test_a_code_is_added_once() -> None:
    assert transaction(invites.add, INVITE)
    assert not transaction(invites.add, replace(INVITE, max_uses=1000))
    assert read(invites.get, "SPRING") == INVITE


@pytest.mark.usefixtures("database")
def test_codes_are_listed_newest_first_page_by_page() -> None:
    made = [replace(INVITE, code=f"C{n}", created_at_ms=NOW_MS + n // 2) for n in range(5)]
    for invite in made:
        transaction(invites.add, invite)
    first = read(invites.list_newest, after=None, count=3)
    rest = read(invites.list_newest, after=first[-1].cursor, count=3)
    assert first + rest == made[::-1]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("code", ["", "spring", "SPRING "])
def test_another_spelling_is_another_code(code: str) -> None:
    transaction(invites.add, INVITE)
    assert read(invites.find, code) is None
    with pytest.raises(NotFound):
        read(invites.get, code)
