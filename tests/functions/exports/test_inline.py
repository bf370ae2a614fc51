"""Export in one answer: permission, content and audit log."""

import hashlib
import json
from dataclasses import replace

import pytest

from shared import settings
from shared.database.transactions import read
from tests.conftest import Configure
from tests.functions.exports.exporting import (
    ANNA,
    HASH,
    ROOT,
    SESSION,
    add_messages,
    add_rows,
    add_users,
    admin_token,
    ask,
    audit_entries,
    json_lines,
    message,
    sheet_rows,
    token_of,
)
from tests.people import NOON_MS

DATASETS = [
    *("users", "conversations", "messages", "media"),
    *("orders", "transactions", "usage", "audit", "locations", "drugs"),
]


@pytest.mark.usefixtures("database")
def test_only_an_administrator_of_the_database_is_given_data() -> None:
    add_users(ROOT, ANNA, replace(ROOT, id="off", email="o@x.io", username=None, disabled_at_ms=1))
    tokens = {
        "": (401, "unauthorized"),
        "nonsense": (401, "invalid_token"),
        token_of(ANNA): (403, "forbidden"),
        token_of(ANNA, role="admin"): (403, "forbidden"),
        token_of(replace(ROOT, id="off")): (401, "invalid_token"),
        token_of(replace(ROOT, id="gone")): (401, "invalid_token"),
    }
    for token, refusal in tokens.items():
        reply = ask(token, dataset="users")
        assert (reply.status, reply.error) == refusal
        assert set(reply.json) == {"code", "message", "error", "request_id"}
    assert audit_entries() == []


@pytest.mark.usefixtures("database")
def test_users_leave_as_a_spreadsheet_reads_them() -> None:
    token = admin_token()
    add_users(replace(ANNA, email='"anna, o\'hara"@example.com', disabled_at_ms=NOON_MS + 2))
    reply = ask(token, dataset="users")
    assert reply.status == 200
    assert reply.body.decode() == (
        "\ufeffid,email,username,role,created_at,disabled_at\r\n"
        "01ROOT,root@example.com,root,admin,2026-11-22T12:00:00.000Z,\r\n"
        '01ANNA,"""anna, o\'hara""@example.com",,user,'
        "2026-11-22T12:00:00.001Z,2026-11-22T12:00:00.002Z\r\n"
    )


@pytest.mark.usefixtures("database")
def test_conversations_leave_with_their_owner() -> None:
    token = admin_token()
    add_messages(message(1, "Hello"))
    assert json_lines(ask(token, dataset="conversations", format="ndjson").body) == [
        {
            "id": "c1",
            "user_id": "01ANNA",
            "title": "Mangoes",
            "created_at": "2026-11-22T12:00:00.000Z",
            "updated_at": "2026-11-22T12:00:00.001Z",
        }
    ]


@pytest.mark.usefixtures("database")
def test_messages_say_what_a_model_wrote() -> None:
    token = admin_token()
    answer = message(2, "你好，世界", role="assistant", model="qwen-plus", finish_reason="stop")
    add_messages(
        message(1, "Say\n\u2028hello\0"),
        replace(answer, prompt_tokens=12, completion_tokens=5),
    )
    asked, answered = json_lines(ask(token, dataset="messages", format="ndjson").body)
    assert asked == {
        "id": "m0001",
        "conversation_id": "c1",
        "user_id": "01ANNA",
        "created_at": "2026-11-22T12:00:00.001Z",
        "role": "user",
        "ai_generated": False,
        "ai_label": None,
        "content": "Say\n\u2028hello\0",
        "model": None,
        "finish_reason": None,
        "prompt_tokens": None,
        "completion_tokens": None,
        "media_ids": None,
    }
    assert answered == {
        **asked,
        "id": "m0002",
        "created_at": "2026-11-22T12:00:00.002Z",
        "role": "assistant",
        "ai_generated": True,
        "ai_label": "AI生成 (AI-generated)",
        "content": "你好，世界",
        "model": "qwen-plus",
        "finish_reason": "stop",
        "prompt_tokens": 12,
        "completion_tokens": 5,
    }


@pytest.mark.usefixtures("database")
def test_no_reader_of_lines_splits_a_line_of_ndjson() -> None:
    token, text = admin_token(), "a\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029b"
    add_messages(message(1, text))

    [line] = ask(token, dataset="messages", format="ndjson").body.decode().splitlines()

    assert json.loads(line)["content"] == text


@pytest.mark.usefixtures("database")
def test_a_workbook_keeps_numbers_truth_values_and_blanks() -> None:
    token = admin_token()
    add_messages(message(1, "", role="assistant", prompt_tokens=12, completion_tokens=0))
    heading, row = sheet_rows(ask(token, dataset="messages", format="xlsx").body)
    assert dict(zip(heading, row, strict=True)) == {
        "id": "m0001",
        "conversation_id": "c1",
        "user_id": "01ANNA",
        "created_at": "2026-11-22T12:00:00.001Z",
        "role": "assistant",
        "ai_generated": True,
        "ai_label": "AI生成 (AI-generated)",
        "content": None,
        "model": None,
        "finish_reason": None,
        "prompt_tokens": 12,
        "completion_tokens": 0,
        "media_ids": None,
    }


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("dataset", DATASETS)
def test_no_secret_leaves_in_any_dataset(dataset: str) -> None:
    token = admin_token()
    add_messages(message(1, "Hello"))
    add_rows(at=[NOON_MS])
    for kind in ("csv", "ndjson"):
        body = ask(token, dataset=dataset, format=kind).body.decode()
        assert len(body.splitlines()) > 1 or kind == "ndjson"
        assert [secret for secret in (HASH, SESSION) if secret in body] == []
    assert "hash" not in str(sheet_rows(ask(token, dataset=dataset, format="xlsx").body)[0])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_headers_name_the_file_without_making_it_an_attachment(kind: str, media_type: str) -> None:
    reply = ask(admin_token(), dataset="users", format=kind)
    entry = audit_entries()[0]
    day = entry.at[:10].replace("-", "")
    assert reply.headers == {
        "Content-Type": media_type,
        "Content-Disposition": f'inline; filename="users-{day}.{kind}"',
        "Cache-Control": "no-store",
        "Vary": "Origin",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": "1-event",
    }


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ["csv", "ndjson", "xlsx"])
def test_an_export_is_written_down_with_the_hash_of_what_left(kind: str) -> None:
    token = admin_token()
    add_users(ANNA)
    body = ask(token, dataset="users", format=kind, from_="2026-11-22", to="").body
    (entry,) = audit_entries()
    assert (entry.actor_id, entry.action) == (ROOT.id, "export")
    assert json.loads(entry.detail) == {
        "dataset": "users",
        "format": kind,
        "from": "2026-11-21T16:00:00.000Z",
        "to": None,
        "rows": 2,
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }


@pytest.mark.usefixtures("database")
def test_the_audit_log_can_be_exported_and_says_so_itself() -> None:
    token = admin_token()
    assert json_lines(ask(token, dataset="audit", format="ndjson").body) == []
    (row,) = json_lines(ask(token, dataset="audit", format="ndjson").body)
    first, second = audit_entries()
    assert row == vars(first)
    assert json.loads(second.detail)["rows"] == 1


@pytest.mark.usefixtures("database")
def test_a_file_with_text_of_a_model_is_labelled_and_no_other() -> None:
    token = admin_token()
    replies = [ask(token, dataset=name) for name in DATASETS]
    ids = [entry.id for entry in audit_entries()]
    labels = [json.loads(reply.headers.get("X-Aigc", "null")) for reply in replies]
    for name, made_as, label in zip(DATASETS, ids, labels, strict=True):
        aigc = {"Label": "1", "ContentProducer": "fc-ai-backend", "ProduceID": made_as}
        assert label == ({"AIGC": aigc} if name in {"messages", "drugs"} else None), name


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("dataset", ["users", "messages"])
def test_head_tells_the_headers_and_takes_nothing(dataset: str) -> None:
    token = admin_token()
    head = ask(token, method="HEAD", dataset=dataset, format="xlsx")
    assert (head.status, head.body, audit_entries()) == (200, b"", [])
    assert head.headers.keys() == ask(token, dataset=dataset, format="xlsx").headers.keys()
    assert ask("", method="HEAD", dataset=dataset).status == 401


@pytest.mark.usefixtures("configure")
def test_without_a_database_there_is_nothing_to_export() -> None:
    reply = ask(token_of(ROOT), dataset="users")
    assert (reply.status, reply.error) == (503, "database_not_configured")


@pytest.mark.usefixtures("database")
def test_without_its_entry_in_the_audit_log_no_data_leaves() -> None:
    token = admin_token()
    _execute("ALTER TABLE audit_log RENAME COLUMN detail TO detail_away")
    try:
        reply = ask(token, dataset="users")
    finally:
        _execute("ALTER TABLE audit_log RENAME COLUMN detail_away TO detail")
    assert (reply.status, reply.error) == (500, "internal_error")
    assert b"root@example.com" not in reply.body


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_database_that_turned_read_only_hands_out_nothing(
    database: str, configure: Configure
) -> None:
    token, target = admin_token(), settings.database_url(database)
    _execute("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reader'")
    _execute(f"GRANT SELECT, INSERT ON {target.name}.* TO reader@'127.0.0.1'")
    _execute("SET GLOBAL read_only = 1")
    try:
        configure(DATABASE_URL=f"mysql://reader:reader@{target.host}:{target.port}/{target.name}")
        reply = ask(token, dataset="users")
    finally:
        configure(DATABASE_URL=database)
        _execute("SET GLOBAL read_only = 0")
        _execute("DROP USER reader@'127.0.0.1'")
    assert (reply.status, reply.error) == (503, "database_unavailable")
    assert b"root@example.com" not in reply.body


def _execute(sql: str) -> None:
    read(lambda db: db.execute(sql))
