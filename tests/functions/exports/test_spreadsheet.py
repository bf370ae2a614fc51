"""Export: a real spreadsheet opens the CSV without any formula."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.functions.exports.exporting import add_messages, admin_token, ask, message
from tests.functions.exports.test_cells import BLANKS, HOSTILE, PAYLOADS, STARTS

FORMULA = re.compile(r"<table:table-cell[^>]* table:formula=")
TAILS = ("1", "2*3", "A1", *PAYLOADS)

pytestmark = pytest.mark.skipif(
    shutil.which("soffice") is None,
    reason="needs LibreOffice (on Debian: apt-get install libreoffice-calc-nogui)",
)


def hostile() -> list[str]:
    made = ("".join(parts) for parts in itertools.product(BLANKS, STARTS, TAILS))
    return [*HOSTILE, *made]


def opened(csv: bytes, folder: Path) -> str:
    """The CSV as opened by LibreOffice, in XML."""
    (folder / "export.csv").write_bytes(csv)
    done = subprocess.run(
        [
            "soffice",
            f"-env:UserInstallation=file://{folder}/profile",
            *["--headless", "--convert-to", "fods", "--outdir", str(folder)],
            str(folder / "export.csv"),
        ],
        capture_output=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (folder / "export.fods").read_text("utf-8")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_cell_of_five_hundred_hostile_ones_is_a_formula(tmp_path: Path) -> None:
    texts = hostile()
    assert len(set(texts)) >= 500
    token = admin_token()
    add_messages(*(message(number, text) for number, text in enumerate(texts)))

    xml = opened(ask(token, dataset="messages").body, tmp_path)

    assert FORMULA.findall(xml) == []
    assert f">m{len(texts) - 1:04}<" in xml  # it has read all of them


def test_a_formula_that_is_not_defused_would_have_been_found(tmp_path: Path) -> None:
    xml = opened(b"\xef\xbb\xbfcontent\r\n=1+1\r\n'=1+1\r\n", tmp_path)

    assert len(FORMULA.findall(xml)) == 1
