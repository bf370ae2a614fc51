"""How long tests wait: never so short that a busy machine fails them."""

HANG_SECONDS = 120.0  # what takes longer will never happen
_SLACK_SECONDS = 20.0


def promised(seconds: float) -> float:
    """A time limit of the product, as a busy machine may keep it.

    What has lost its limit takes far longer: in these tests nothing else ends it.
    """
    return seconds + _SLACK_SECONDS
