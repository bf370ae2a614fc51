"""Several rows, or values, in one statement: the names of their parameters."""

from collections.abc import Mapping, Sequence


def values(
    columns: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> tuple[str, dict[str, object]]:
    """Return what stands after VALUES, and the parameters that it names."""
    names = [[f"{column}_{_letters(number)}" for column in columns] for number in range(len(rows))]
    places = ", ".join(f"(:{', :'.join(row)})" for row in names)
    given = [row[column] for row in rows for column in columns]
    return places, dict(zip((name for row in names for name in row), given, strict=True))


def listed(those: Sequence[str]) -> tuple[str, dict[str, object]]:
    """Return what stands inside IN (...), and the parameters that it names."""
    named: dict[str, object] = {f"id_{_letters(number)}": one for number, one in enumerate(those)}
    return ", ".join(f":{name}" for name in named), named


def _letters(number: int) -> str:
    """Parameter names are letters: 0 is a, 27 is bb."""
    return (
        chr(97 + number % 26) if number < 26 else _letters(number // 26 - 1) + _letters(number % 26)
    )
