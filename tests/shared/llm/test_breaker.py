"""The circuit breaker: skipping an upstream, and probing it again."""

from shared.llm.breaker import Breaker


def fail(breaker: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.record(now, good=False)


def test_a_few_failures_say_nothing() -> None:
    breaker = Breaker()
    fail(breaker, 4)
    assert breaker.allows(0.0)


def test_it_opens_when_half_of_the_last_answers_failed() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.record(0.0, good=True)
    fail(breaker, 4)
    assert breaker.allows(0.0)
    fail(breaker, 1)
    assert not breaker.allows(0.0)


def test_what_is_long_ago_does_not_count() -> None:
    breaker = Breaker()
    fail(breaker, 4, now=0.0)
    fail(breaker, 4, now=31.0)
    assert breaker.allows(31.0)


def test_while_open_one_probe_is_let_through_every_ten_seconds() -> None:
    breaker = Breaker()
    fail(breaker, 5)
    assert [breaker.allows(now) for now in (9.9, 10.0, 10.1, 19.9, 20.0)] == [
        False,
        True,
        False,
        False,
        True,
    ]


def test_a_good_probe_closes_it_and_a_bad_one_does_not() -> None:
    breaker = Breaker()
    fail(breaker, 5)
    assert breaker.allows(10.0)
    breaker.record(10.5, good=False)
    assert not breaker.allows(20.4)
    assert breaker.allows(20.5)
    breaker.record(20.6, good=True)
    assert [breaker.allows(20.7), breaker.allows(20.7)] == [True, True]
