"""CSV lines: many texts at once come out as one at a time."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from shared.exports.spreadsheet import _RISKY_STARTS, csv_line, csv_texts, looks_like_formula

ALL = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
texts = st.text(
    st.sampled_from('=+-@",\r\n\t \0ax1\u3000\u200b\ufeff＝﹦你「é😀') | st.characters()
)


def one_at_a_time(text: str) -> bytes:
    return csv_line([text])[:-2]


def test_no_beginning_of_a_formula_is_taken_for_harmless() -> None:
    able = {one.encode()[:1] for one in ALL if looks_like_formula(f"{one}=") or one == "="}

    assert able - _RISKY_STARTS == set()


@given(column=st.lists(texts, max_size=12))
def test_a_column_is_made_as_its_cells_are(column: list[str]) -> None:
    column = [text.encode("utf-8", "replace").decode() for text in column]

    assert list(csv_texts([text.encode() for text in column])) == [
        one_at_a_time(text) for text in column
    ]
