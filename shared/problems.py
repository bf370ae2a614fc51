"""Problems of fields, as people read them: one short sentence in English and in Chinese."""


class Problem(str):
    """The English sentence, which also knows the Chinese one."""

    zh: str

    def __new__(cls, en: str, zh: str) -> "Problem":
        problem = super().__new__(cls, en)
        problem.zh = zh
        return problem


def detail(field: str, problem: str) -> dict[str, str]:
    """An entry of `details` of an error."""
    return {"field": field, "problem": problem}


def in_language(problem: str, language: str) -> str:
    return problem.zh if language == "zh" and isinstance(problem, Problem) else str(problem)
