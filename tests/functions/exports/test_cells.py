"""Export: texts of users stay text in every format."""

import io
import itertools
import re
import zipfile

import pytest
from openpyxl.utils.escape import unescape  # type: ignore[import-untyped]  # it has no types

from shared.repos.conversations import Message
from tests.functions.exports.exporting import (
    add_messages,
    admin_token,
    ask,
    csv_rows,
    json_lines,
    message,
    sheet_column,
)

STARTS = [
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\0",
    "＝",
    "＋",
    "－",
    "＠",
    "﹦",
    "﹢",
    "﹣",
    "﹫",
]
BLANKS = ["", " ", "   ", "\u3000", "\u00a0", "\u200b", "\ufeff", "\x01", "\x1f"]
BLANKS += ["\u202e", "\u2066", "\u061c", "\u034f", "\u115f", "\u3164", "\u2028", "\u180e", "\u2800"]
BLANKS += ["\ufe0f", "\U000e0001", "\U000e0100", "\U0001d173", "\u200b \u202e"]
PAYLOADS = ["cmd|' /C calc'!A0", 'HYPERLINK("http://x.io","y")', "1+1\r\n=2", ';=1,"=1"\'']

HOSTILE = [
    *(start + payload for start, payload in itertools.product(STARTS, ["", "1", *PAYLOADS])),
    *(b + s + p for b, s, p in itertools.product(BLANKS[1:], ["=", "+", "-", "@"], PAYLOADS)),
    "\t\t=1", "\r\n\r\n@x", "-2", "-2+3", "+86 138", "@SUM(1)", "\x0b\x0c=1",
]  # fmt: skip

HARMLESS = [
    "hello", "你好", "a=b", "1", "0012", "1e5", "'=1", '"=1"', ",=1", ";=1", "|", "%00", " x ",
    "a\r\nb", 'say "hi"', "http://example.com", "mailto:a@b.c", "internal:Sheet1!A1", "{=1}",
    "<r></r>", "<r><t>x</t></r>", "<r></is></c><c><f>1+1</f></c><c><is></r>", "<r>=1</r>",
    "]]>", "&amp;", "<b>", "_x0041_", "_x000D_", "a\0b", "a\x07b", "\x7f", "\ufffe\uffff", "😀",
    "true", "NULL", "#REF!", "2026-11-22", "x" * 300,
]  # fmt: skip


def _said(texts: list[str]) -> list[Message]:
    return [message(number, text) for number, text in enumerate(texts)]


def test_there_are_enough_hostile_cells() -> None:
    assert len(set(HOSTILE)) >= 200
    assert not set(HOSTILE) & set(HARMLESS)


@pytest.mark.usefixtures("database")
def test_a_csv_cell_that_looks_like_a_formula_begins_with_an_apostrophe() -> None:
    token = admin_token()
    add_messages(*_said(HOSTILE + HARMLESS))
    heading, *rows = csv_rows(ask(token, dataset="messages").body)
    column = heading.index("content")
    assert [row[column] for row in rows] == [f"'{text}" for text in HOSTILE] + HARMLESS
    assert {len(row) for row in rows} == {len(heading)}


@pytest.mark.usefixtures("database")
def test_a_csv_line_ends_with_cr_and_lf_and_quotes_what_must_be_quoted() -> None:
    token = admin_token()
    add_messages(message(1, 'a,"b"\nc'), message(2, "plain", prompt_tokens=-1))
    body = ask(token, dataset="messages").body
    assert body == (
        b"\xef\xbb\xbfid,conversation_id,user_id,created_at,role,ai_generated,ai_label,content,"
        b"model,finish_reason,prompt_tokens,completion_tokens,media_ids\r\n"
        b'm0001,c1,01ANNA,2026-11-22T12:00:00.001Z,user,false,,"a,""b""\nc",,,,,\r\n'
        b"m0002,c1,01ANNA,2026-11-22T12:00:00.002Z,user,false,,plain,,,-1,,\r\n"
    )


@pytest.mark.usefixtures("database")
def test_ndjson_loses_nothing() -> None:
    token = admin_token()
    add_messages(*_said(HOSTILE + HARMLESS))
    rows = json_lines(ask(token, dataset="messages", format="ndjson").body)
    assert [row["content"] for row in rows] == HOSTILE + HARMLESS


@pytest.mark.usefixtures("database")
def test_a_workbook_holds_text_and_no_formula_or_link() -> None:
    token = admin_token()
    add_messages(*_said(HOSTILE + HARMLESS))
    body = ask(token, dataset="messages", format="xlsx").body
    cells = sheet_column(body, "content")
    assert [unescape(cell.value) for cell in cells] == HOSTILE + HARMLESS
    assert {(cell.data_type, cell.hyperlink) for cell in cells} == {("s", None)}
    assert [cell.quotePrefix for cell in cells] == [True] * len(HOSTILE) + [False] * len(HARMLESS)
    xml = zipfile.ZipFile(io.BytesIO(body)).read("xl/worksheets/sheet1.xml").decode()
    assert re.findall(r"<f[ >]|<hyperlink", xml) == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * 32_767, "x" * 32_767),
        ("x" * 32_768, "x" * 32_761 + "…[cut]"),
        ("😀" * 16_383 + "x", "😀" * 16_383 + "x"),
        ("😀" * 16_384, "😀" * 16_380 + "…[cut]"),
        ("x" + "😀" * 16_384, "x" + "😀" * 16_380 + "…[cut]"),
        ("=" + "x" * 40_000, "=" + "x" * 32_760 + "…[cut]"),
        ("<r>" + "x" * 40_000 + "</r>", "<r>" + "x" * 32_758 + "…[cut]"),
    ],
    ids=["longest", "too long", "longest astral", "astral", "odd", "formula", "markup"],
)
def test_a_cell_longer_than_excel_allows_is_visibly_cut(text: str, kept: str) -> None:
    token = admin_token()
    add_messages(message(1, text))
    (cell,) = sheet_column(ask(token, dataset="messages", format="xlsx").body, "content")
    assert cell.value == kept
    (row,) = json_lines(ask(token, dataset="messages", format="ndjson").body)
    assert row["content"] == text


@pytest.mark.usefixtures("database")
def test_a_workbook_says_in_its_properties_that_a_model_wrote_some_of_it() -> None:
    token = admin_token()
    add_messages(message(1, "Hello", role="assistant"))
    reply = ask(token, dataset="messages", format="xlsx")
    parts = zipfile.ZipFile(io.BytesIO(reply.body))
    custom = parts.read("docProps/custom.xml").decode()
    assert f'name="AIGC"><vt:lpwstr>{reply.headers["X-Aigc"]}</vt:lpwstr>' in custom
    assert "AI生成 (AI-generated)" in parts.read("docProps/core.xml").decode()
    users = ask(token, dataset="users", format="xlsx").body
    assert "docProps/custom.xml" not in zipfile.ZipFile(io.BytesIO(users)).namelist()
