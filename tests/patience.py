"""Time limits of tests, long enough for a busy machine."""

HANG_SECONDS = 120.0  # only a hang takes longer
_SLACK_SECONDS = 20.0


def promised(seconds: float) -> float:
    """A time limit of the product, with a margin for a busy machine.

    Without its limit, the operation in such a test would take far longer.
    """
    return seconds + _SLACK_SECONDS
