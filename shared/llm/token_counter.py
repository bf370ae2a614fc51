"""Token counts of one answer: the upstream's reports, and estimates where they are incomplete.

Does no I/O.
"""

from shared.llm.estimate import TextEstimate
from shared.llm.events import Event, Output, Usage
from shared.pricing import Tokens

_MOST = 2**31 - 1  # the largest count that is stored


class TokenCounter:
    """Counts the tokens of an answer from its events.

    Upstreams may report several times. A smaller count does not replace a larger one,
    zero is no count, and output after the last count is estimated.
    """

    def __init__(self) -> None:
        self._prompt = self._completion = self._cached = 0
        self._received = TextEstimate()
        self._at_last_count = TextEstimate()

    @property
    def output(self) -> int:
        """Tokens of all output so far: our estimate, or the upstream's count if it is larger."""
        return self._output(self._received)

    def output_with(self, text: str) -> int:
        """The value of `output` if this text came next."""
        return self._output(self._received.with_text(text))

    def take(self, event: Event) -> None:
        if isinstance(event, Output):
            self._received.add(event.text)
        elif isinstance(event, Usage):
            self._read(event)

    def tokens(self, prompt_estimate: int) -> Tokens:
        """The counts; `source` is `estimated` if any part of them is an estimate."""
        uncounted, prompt = self._uncounted(self._received), self._prompt or prompt_estimate
        return Tokens(
            prompt,
            min(self._completion + uncounted, _MOST),
            min(self._cached, prompt),
            source="estimated" if uncounted or not self._prompt else "reported",
        )

    def _read(self, usage: Usage) -> None:
        self._prompt = max(self._prompt, usage.prompt_tokens)
        self._cached = max(self._cached, usage.cached_tokens)
        if usage.completion_tokens and usage.completion_tokens >= self._completion:
            self._completion = usage.completion_tokens
            self._at_last_count = self._received.with_text("")

    def _output(self, received: TextEstimate) -> int:
        if not self._completion:
            return received.tokens
        return max(received.tokens, self._completion + self._uncounted(received))

    def _uncounted(self, received: TextEstimate) -> int:
        """The estimate of the output after the upstream's last count."""
        return received.tokens_since(self._at_last_count)
