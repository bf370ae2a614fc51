"""Limit of an answer's output: the upstream call ends when the reservation is used up."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from shared.llm.estimate import beginning
from shared.llm.events import Event, Finish, Output
from shared.llm.token_counter import TokenCounter


async def limited(events: AsyncIterator[Event], most_tokens: int) -> AsyncGenerator[Event, None]:
    """Yield the events; after so many tokens of output, cut the text and end with `length`.

    Upstreams are asked to keep the limit, but some do not, or do not count reasoning.
    """
    counter = TokenCounter()
    async for event in events:
        room = most_tokens - counter.output
        counter.take(event)
        if isinstance(event, Output) and counter.output > most_tokens:
            text = beginning(event.text, room)
            if text:
                yield replace(event, text=text)
            yield Finish("length")
            return
        yield event
