"""The text of documents: read within limits, or refused, and the caller lives on."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from time import perf_counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import DocumentHasNoText, DocumentUnreadable
from shared.media import documents, pdf_child
from shared.media.content_types import ALLOWED
from shared.media.documents import DocumentText, text_of
from tests.patience import HANG_SECONDS
from tests.shared.media import pdfs
from tests.web import eventually

ROOT = Path(__file__).resolve().parents[3]
PDF = "application/pdf"


def children() -> list[str]:
    """The processes that this one has started, also those that ended and wait to be reaped.

    Servers that other tests keep are among them.
    """
    folder = Path(f"/proc/{os.getpid()}/task")
    return [child for task in folder.iterdir() for child in (task / "children").read_text().split()]


def test_the_pages_of_a_pdf_are_read_in_their_order() -> None:
    assert text_of(PDF, pdfs.of_texts("one", "two", "three")) == DocumentText(
        "one\n\ntwo\n\nthree", 3, is_truncated=False
    )


def test_chinese_is_read_through_the_map_of_its_font() -> None:
    text = "劳动合同：甲方与乙方，自2027年3月1日起。"
    assert text_of(PDF, pdfs.chinese(text)).text == text


def test_the_resources_of_a_page_may_stand_at_its_parent() -> None:
    data = pdfs.pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [5 0 R] /Count 1 /Resources << /Font << /F1 3 0 R >> >> >>",
            3: pdfs.HELVETICA,
            4: pdfs.stream(pdfs.shown("inherited")),
            5: b"<< /Type /Pages /Kids [6 0 R] /Count 1 /Parent 2 0 R >>",
            6: b"<< /Type /Page /Parent 5 0 R /Contents 4 0 R >>",
        }
    )
    assert text_of(PDF, data).text == "inherited"


@pytest.mark.parametrize("pages", [3, 250])
def test_a_scan_is_named_as_such(pages: int) -> None:
    with pytest.raises(DocumentHasNoText):
        text_of(PDF, pdfs.scan(pages))


def test_a_document_that_any_reader_may_open_is_read_though_encrypted() -> None:
    assert text_of(PDF, pdfs.encrypted("open", "")).text == "open"


def test_of_ten_thousand_pages_the_first_are_read() -> None:
    read = text_of(PDF, pdfs.of_many_pages(10_000))
    assert (read.pages, read.is_truncated) == (10_000, True)
    assert read.text.split("\n\n")[-1] == f"Page {pdf_child.PAGES}"


def test_two_hundred_pages_are_whole_and_one_more_is_cut() -> None:
    assert not text_of(PDF, pdfs.of_many_pages(200)).is_truncated
    assert text_of(PDF, pdfs.of_many_pages(201)).is_truncated


def test_a_count_of_pages_that_lies_is_not_believed() -> None:
    more = pdfs.of_many_pages(201).replace(b"/Count 201", b"/Count 3  ")
    assert text_of(PDF, more).is_truncated
    fewer = pdfs.of_many_pages(3).replace(b"/Count 3", b"/Count 9")
    assert text_of(PDF, fewer) == DocumentText("Page 1\n\nPage 2\n\nPage 3", 9, is_truncated=True)


def test_a_broken_page_leaves_the_others_readable() -> None:
    contents = [pdfs.stream(pdfs.shown("one")), pdfs.flate(b" " * (50 << 20))]
    contents.append(pdfs.stream(pdfs.shown("three")))
    assert text_of(PDF, pdfs.of_pages(contents)) == DocumentText("one\n\nthree", 3, True)


def test_what_was_read_before_a_page_without_end_is_kept() -> None:
    read = text_of(PDF, pdfs.form_loop(pdfs.stream(pdfs.shown("the first page"))))
    assert read == DocumentText("the first page", 2, is_truncated=True)


@pytest.mark.parametrize("name", pdfs.ATTACKS)
def test_an_attack_is_refused_or_cut_and_leaves_no_process(name: str) -> None:
    before = children()
    try:
        read = text_of(PDF, pdfs.ATTACKS[name]())
    except (DocumentUnreadable, DocumentHasNoText):
        read = None
    assert read is None or len(read.text) <= documents.CHARACTERS
    assert set(children()) <= set(before)
    assert text_of(PDF, pdfs.of_texts("next")).text == "next"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"%PDF-1.7\n", "unreadable"), (pdfs.form_loop(), "too_complex")],
)
def test_an_unreadable_document_has_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentUnreadable) as raised:
        text_of(PDF, data)
    assert raised.value.fields == {"reason": reason}


def test_attacks_take_little_memory_of_the_caller(tmp_path: Path) -> None:
    for name in ("bomb", "nested bomb", "shared content", "endless content"):
        (tmp_path / name).write_bytes(pdfs.ATTACKS[name]())
    done = python(
        """
        import sys
        from pathlib import Path
        from shared.errors import AppError
        from shared.media.documents import text_of
        for file in Path(sys.argv[1]).iterdir():
            try:
                text_of("application/pdf", file.read_bytes())
            except AppError:
                pass
        status = Path("/proc/self/status").read_text()
        print(status.split("VmHWM:")[1].split()[0])
        """,
        str(tmp_path),
    )
    output, _ = done.communicate(timeout=HANG_SECONDS)
    assert int(output) < 100_000, "kilobytes"


def test_the_process_has_no_secret_and_ends_with_an_interrupted_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", "a secret of the caller")
    file = tmp_path / "loop.pdf"
    file.write_bytes(pdfs.form_loop())
    caller = python(
        """
        import os, sys
        from pathlib import Path
        from shared.media import pdf_process
        run = pdf_process.subprocess.Popen.wait
        def wait(process, timeout=None):
            print(process.pid, flush=True)
            return run(process, timeout)
        pdf_process.subprocess.Popen.wait = wait
        pdf_process.read_pdf(Path(sys.argv[1]).read_bytes())
        """,
        str(file),
    )
    assert caller.stdout is not None
    child = int(caller.stdout.readline())
    assert b"secret" not in Path(f"/proc/{child}/environ").read_bytes()
    caller.send_signal(signal.SIGINT)
    caller.wait(HANG_SECONDS)
    eventually(lambda: not Path(f"/proc/{child}").exists())


def python(program: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", dedent(program), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_the_process_opens_no_connection() -> None:
    refused = (
        "from shared.media import pdf_child; pdf_child._limit(); import socket; socket.socket()"
    )
    failed = subprocess.run(
        [sys.executable, "-c", refused], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "PermissionError: socket.__new__" in failed.stderr


@pytest.mark.parametrize(
    "data",
    [
        "姓名,城市\r\n张三,北京\r\n".encode(),
        b"\xef\xbb\xbf" + "姓名,城市\n张三,北京".encode(),
        "姓名,城市\n张三,北京\n\n\n".encode("gb18030"),
        "姓名,城市\r张三,北京".encode("utf-16"),
        b"\xfe\xff" + "姓\u200b名,城市\u2028张三,北京\ufeff".encode("utf-16-be"),
    ],
)
@pytest.mark.parametrize("declared", ["text/csv", "text/plain", "text/markdown; charset=gbk"])
def test_texts_in_any_encoding_are_read_and_cleaned(declared: str, data: bytes) -> None:
    expected = DocumentText("姓名,城市\n张三,北京", None, is_truncated=False)
    assert text_of(declared, data) == expected


@pytest.mark.parametrize("data", [b"", b" \n\t", "\u200b\ufeff".encode(), b"---\n***"])
def test_an_empty_text_has_no_text(data: bytes) -> None:
    with pytest.raises(DocumentHasNoText):
        text_of("text/plain", data)


@pytest.mark.parametrize(
    "data", [b"a\x00b", b"\xff\xfe\x00\xd8a\x00", b"abc\xff", b"\x89PNG\r\n\x1a\n"]
)
def test_bytes_that_are_no_text_are_unreadable(data: bytes) -> None:
    with pytest.raises(DocumentUnreadable):
        text_of("text/plain", data)


def test_a_long_text_is_cut_at_a_paragraph() -> None:
    paragraph = "一段话。" * 100
    read = text_of("text/plain", "\n\n".join([paragraph] * 1000).encode())
    assert read.is_truncated
    assert documents.CHARACTERS - 500 < len(read.text) <= documents.CHARACTERS
    assert set(read.text.split("\n\n")) == {paragraph}


def test_a_long_file_of_invisible_characters_is_cleaned_in_bounds() -> None:
    read = text_of("text/plain", ("a" + "\u200b" * 3_000_000).encode())
    assert read == DocumentText("a", None, is_truncated=True)


@given(declared=st.sampled_from(ALLOWED) | st.text(), data=st.binary())
@settings(max_examples=300)
def test_any_bytes_of_any_type_give_a_text_or_an_error_of_ours(declared: str, data: bytes) -> None:
    if declared != PDF:
        judged(declared, data)


@given(
    edits=st.lists(st.tuples(st.integers(0, 1500), st.binary(max_size=8)), max_size=8),
    base=st.sampled_from([pdfs.of_texts("one", "two"), pdfs.chinese("合同"), pdfs.scan(1), b""]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_damage_to_a_pdf_gives_a_text_or_an_error_of_ours(
    edits: list[tuple[int, bytes]], base: bytes
) -> None:
    data = bytearray(base)
    for at, replacement in edits:
        data[at : at + len(replacement)] = replacement
    before = children()
    judged(PDF, bytes(data))
    assert set(children()) <= set(before)


def judged(declared: str, data: bytes) -> None:
    try:
        read = text_of(declared, data)
    except (DocumentHasNoText, DocumentUnreadable):
        return
    assert read.text == read.text.strip()
    assert read.text.encode()


def test_the_time_of_an_ordinary_document_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    line = b"BT /F1 11 Tf 72 %d Td (The parties agree to the terms below, in good faith.) Tj ET\n"
    page = pdfs.flate(b"".join(line % at for at in range(60, 760, 14)))
    data = pdfs.of_pages([page] * 20)
    begun = perf_counter()
    read = text_of(PDF, data)
    with capsys.disabled():
        print(f"\n20 pages, {len(read.text)} characters: {perf_counter() - begun:.2f} s")
    assert read.pages == 20
