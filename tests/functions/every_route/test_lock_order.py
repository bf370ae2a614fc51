"""Every transaction locks rows in the same order, so that no two of them deadlock.

The statements are read from the general log of the database, which has those of all
connections and processes.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functions.maintenance.index import handler as maintenance
from scripts.tooling.bench.wire import statements
from scripts.tooling.database.mariadb import cursor_on
from shared.database.transactions import transaction
from shared.repos import invites
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.invites import Invite
from shared.repos.lock_order import LOCK_ORDER
from shared.times import now_ms
from tests.conftest import Configure
from tests.events import Context
from tests.functions.every_route.fair_requests import PASSWORD, Person, fair, person
from tests.functions.every_route.routes import ROUTES, Caller
from tests.functions.wallets import PER_MESSAGE, abandoned, guest
from tests.people import customer

# An INSERT waits for a lock where its key is known to others: a subject's day, a user's wallet.
_TABLES = re.compile(
    r"^\s*UPDATE (\w+)|^\s*DELETE FROM (\w+)|^\s*INSERT INTO (daily_messages|wallets)\b"
)
_LOCKING_READ = re.compile(r"FOR UPDATE|LOCK IN SHARE MODE")
_BEGIN, _END = re.compile(r"START TRANSACTION\s*$"), re.compile(r"COMMIT|ROLLBACK")

Log = Callable[[], list[tuple[int, str]]]
Transactions = list[list[str]]


@pytest.fixture
def general_log(mariadb_server: str) -> Iterator[Log]:
    """The statements received since the fixture began, each with its connection's number."""
    with cursor_on(f"{mariadb_server}/mysql") as cursor:

        def run(sql: str) -> Any:
            cursor.execute(sql)
            return cursor.fetchall()

        [(output,)] = run("SELECT @@GLOBAL.log_output")
        run("TRUNCATE mysql.general_log")
        run("SET GLOBAL log_output = 'TABLE'")
        run("SET GLOBAL general_log = 1")
        yield lambda: [
            (int(number), bytes(text).decode() if isinstance(text, bytes) else str(text))
            for number, text in run("SELECT thread_id, argument FROM mysql.general_log")
        ]
        run("SET GLOBAL general_log = 0")
        run(f"SET GLOBAL log_output = '{output}'")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_every_transaction_locks_rows_in_one_order(
    general_log: Log, caller: Caller, configure: Configure
) -> None:
    configure(INVITE_REWARD_FEN="100")
    _call_every_route(caller)
    _talk_on(caller, person())
    _come_in_by_invitation(caller, person())
    _abandon_and_sweep()

    recorded = transactions(general_log())

    assert [problem for one in recorded for problem in disorders(one)] == []
    assert {tuple(dict.fromkeys(table for table, _ in locks(one))) for one in recorded} >= {
        ("daily_messages", "wallets"),  # reserved
        ("turns", "daily_messages", "wallets"),  # settled, or released
        ("turns", "daily_messages", "wallets", "conversations"),  # settled in a conversation
        ("turns", "conversations"),  # forgotten
        ("turns", "daily_messages", "conversations"),  # an account deleted
    }


def _call_every_route(caller: Caller) -> None:
    for route in ROUTES:
        one, admin = person(), person("admin")
        request = fair(route, one, admin)
        caller.ask(route, *request.ids, token=request.token, body=request.body, query=request.query)


def _talk_on(caller: Caller, one: Person) -> None:
    [chat] = [route for route in ROUTES if str(route) == "POST /api/chat"]
    body = {"message": "And?", "conversation_id": one.conversation_id}
    assert caller.ask(chat, token=one.token, body=body).status == 200


def _come_in_by_invitation(caller: Caller, inviter: Person) -> None:
    [register] = [route for route in ROUTES if str(route) == "POST /api/auth/register"]
    invite = Invite("LOCKORDER", inviter.id, 1, 0, 50, "", True, None, inviter.id, now_ms())
    transaction(invites.add, invite)
    body = {"email": "invited@example.com", "password": PASSWORD, "invite_code": invite.code}
    assert caller.ask(register, body=body).status == 201


def _abandon_and_sweep() -> None:
    """Abandon free and paid turns of users and of a guest, with and without text, and end them."""
    said = AnswerChunk("text", "so far")
    for answer in ((), (said,)):
        abandoned(customer(), *answer)
        abandoned(customer(1000), *answer, price=PER_MESSAGE)
        abandoned(guest(), *answer, is_guest=True)
    summary = maintenance(b"{}", Context())
    assert (summary["settled"], summary["released"]) == (3, 3)


def test_a_wrong_order_is_named() -> None:
    log = [
        (1, "START TRANSACTION"),
        (2, "UPDATE turns SET lease_until_ms = 1 WHERE message_id = 'm'"),
        (1, "\n  UPDATE wallets\n  SET open_turns = 1\n  WHERE user_id = 'u'"),
        (1, "UPDATE turns SET state = 'settled' WHERE message_id = 'm'"),
        (1, "COMMIT"),
        (1, "START TRANSACTION"),
        (1, "SELECT user_id FROM wallets AS w WHERE user_id = 'u' FOR UPDATE"),
        (1, "INSERT INTO daily_messages (subject, day, used) VALUES ('u', '2026-11-22', 0)"),
        (1, "ROLLBACK"),
    ]

    assert [list(disorders(one)) for one in transactions(log)] == [
        ["turns after wallets: UPDATE turns SET state = 'settled' WHERE message_id = 'm'"],
        ["daily_messages after wallets: " + log[7][1]],
    ]


def test_statements_that_were_sent_together_are_read_one_by_one() -> None:
    sent = "START TRANSACTION;UPDATE wallets SET reason = 'it''s; \\'; a' WHERE user_id = 'u'"
    log = [(1, sent), (1, "UPDATE turns SET state = 'settled' WHERE message_id = 'm';COMMIT")]

    [one] = transactions(log)

    assert [len(one), *disorders(one)] == [2, f"turns after wallets: {one[1]}"]


def test_new_rows_and_rows_already_locked_are_in_order() -> None:
    log = [
        (1, "START TRANSACTION"),
        (1, "UPDATE turns SET state = 'settled' WHERE message_id = 'm' AND state = 'open'"),
        (1, "UPDATE wallets SET open_turns = 1 WHERE user_id = 'u'"),
        (1, "UPDATE turns SET outcome = 'told' WHERE message_id = 'm'"),
        (1, "INSERT INTO turns (message_id) VALUES ('n')"),
        (1, "COMMIT"),
    ]

    assert [list(disorders(one)) for one in transactions(log)] == [[]]


def transactions(log: list[tuple[int, str]]) -> Transactions:
    """The statements of each transaction, without single statements, which hold no locks."""
    running: dict[int, list[str]] = {}
    ended: Transactions = []
    for connection, text in ((one, text) for one, sent in log for text in statements(sent)):
        if _BEGIN.match(text):
            running[connection] = []
        elif _END.match(text):
            ended.append(running.pop(connection, []))
        elif connection in running:
            running[connection].append(text)
    return ended


def disorders(statements: list[str]) -> Iterator[str]:
    locked: list[str] = []
    for table, text in locks(statements):
        later = [one for one in locked if LOCK_ORDER.index(one) > LOCK_ORDER.index(table)]
        if later:
            yield f"{table} after {later[0]}: {text}"
        locked.append(table)


def locks(statements: list[str]) -> Iterator[tuple[str, str]]:
    """The tables in the order of locking, each with the statement that locks new rows."""
    known: set[tuple[str, str]] = set()
    for text in statements:
        keyed = text if _LOCKING_READ.search(text) else text.partition("WHERE")[2]
        rows = set(re.findall(r"(?:id|subject) = '([^']*)'", keyed))
        for table in _locked_tables(text):
            if not rows or not {(table, row) for row in rows} <= known:
                yield table, text
            known |= {(table, row) for row in rows}


def _locked_tables(text: str) -> list[str]:
    if _LOCKING_READ.search(text):
        found = re.findall(r"(?:FROM|JOIN) (\w+)", text)
    else:
        match = _TABLES.match(text)
        found = [name for name in match.groups() if name] if match else []
    return [table for table in found if table in LOCK_ORDER]
