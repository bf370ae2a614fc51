"""Limit of an answer's output: the upstream call ends when the reservation is used up."""

from collections.abc import AsyncGenerator, AsyncIterator

from shared.llm.estimate import beginning
from shared.llm.events import Event, Finish, Output, shortened
from shared.llm.token_counter import TokenCounter


async def limited(
    events: AsyncIterator[Event], counter: TokenCounter, most_tokens: int
) -> AsyncGenerator[Event, None]:
    """Yield the events; after so many tokens of output, cut the text and end with `length`.

    Upstreams are asked to keep the limit, but some do not, or do not count reasoning.
    `counter` has counted all events before the current one: the consumer gives it each.
    """
    async for event in events:
        if isinstance(event, Output) and _exceeds(event.text, counter, most_tokens):
            text = beginning(event.text, most_tokens - counter.output)
            if text:
                yield shortened(event, len(text))
            yield Finish("length")
            return
        yield event


def _exceeds(text: str, counter: TokenCounter, most_tokens: int) -> bool:
    """A character is at most one token, so most texts need no estimate."""
    return counter.output + len(text) > most_tokens and counter.output_with(text) > most_tokens
