"""Placeholders and parameters for several rows, or values, in one statement."""

from collections.abc import Mapping, Sequence


def values(
    columns: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> tuple[str, dict[str, object]]:
    """The placeholders after VALUES, and the parameters that they name."""
    names = [[f"{column}_{_letters(number)}" for column in columns] for number in range(len(rows))]
    placeholders = ", ".join(f"(:{', :'.join(row)})" for row in names)
    row_values = [row[column] for row in rows for column in columns]
    return placeholders, dict(zip((name for row in names for name in row), row_values, strict=True))


def numbered(name: str, parameters: Sequence[object]) -> dict[str, object]:
    """Names for several parameters: name_a, name_b and so on."""
    return {f"{name}_{_letters(number)}": one for number, one in enumerate(parameters)}


def in_list(ids: Sequence[str]) -> tuple[str, dict[str, object]]:
    """The placeholders inside IN (...), and the parameters that they name."""
    parameters = numbered("id", ids)
    return ", ".join(f":{name}" for name in parameters), parameters


def _letters(number: int) -> str:
    """A number spelled in letters, as parameter names need: 0 is a, 27 is bb."""
    return (
        chr(97 + number % 26) if number < 26 else _letters(number // 26 - 1) + _letters(number % 26)
    )
