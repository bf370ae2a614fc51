"""Error classes document themselves."""

import inspect

import pytest

from shared import errors

CLASSES = [one for one in vars(errors).values() if inspect.isclass(one) and "name" in vars(one)]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_says_what_happened_in_a_sentence_of_its_own(error: type) -> None:
    assert (vars(error).get("__doc__") or "").strip().endswith(".")
