"""Reading of a package: one call to a model, and a second one if its reply is not valid."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio

from functions.drugs.recognition import prompt
from functions.drugs.recognition.opening import OpenRecognition
from functions.drugs.recognition.prompt import MOST_OUTPUT_TOKENS, Message
from functions.drugs.recognition.reply import Draft, InvalidReply, draft_of
from shared import log
from shared.credentials import Credentials
from shared.errors import (
    AppError,
    RecognitionFailed,
    Unexpected,
    UpstreamRejected,
    UpstreamTimeout,
)
from shared.llm import client, routing
from shared.llm.estimate import estimate_prompt_tokens
from shared.llm.events import Delta
from shared.llm.token_counter import TokenCounter
from shared.pricing import Tokens
from shared.repos.upstream_calls import UpstreamCall

SECONDS = 90  # for both calls


@dataclass
class Reading:
    """A draft or a failure, and the calls to upstreams, each with its tokens.

    `tokens` are those of the call that gave the draft; of a failure, those of all calls.
    """

    draft: Draft | None = None
    failure: AppError | None = None
    calls: list[tuple[UpstreamCall, Tokens]] = field(default_factory=list)
    replies: list[Tokens] = field(default_factory=list)

    @property
    def tokens(self) -> Tokens:
        return self.replies[-1] if self.draft else _sum(self.replies)

    @property
    def has_worked(self) -> bool:
        return any(call.has_worked for call, _ in self.calls)


async def read_package(opened: OpenRecognition, called_with: Credentials | None) -> Reading:
    """Never raises: a failure is in the result, because the turn must be ended in any case."""
    reading = Reading()
    try:
        with anyio.fail_after(SECONDS):
            await _read(opened, called_with, reading)
    except AppError as error:
        reading.failure = error
    except TimeoutError:
        reading.failure = UpstreamTimeout(limit="recognition")
    except Exception as error:  # noqa: BLE001  # the turn must be ended
        log.crash(error, request_id=opened.turn.message_id)
        reading.failure = Unexpected()
    finally:
        await client.close()
    return reading


async def _read(opened: OpenRecognition, called_with: Credentials | None, reading: Reading) -> None:
    """Ask, and once again.

    A model that refuses the request as such, maybe for its `response_format`, is asked again
    without it: the prompt describes the form, too.

    Raises: RecognitionFailed: no reply was valid; what `routing.answer` raises.
    """
    messages, options = opened.messages, opened.options
    for is_last in (False, True):
        reply = ""
        try:
            reply = await _ask(opened.turn.model, messages, options, called_with, reading)
            reading.draft = draft_of(reply)
            return
        except InvalidReply as problem:
            log.write("warning", "invalid_reply", model=opened.turn.model)
            messages = prompt.asked_again(opened.messages, reply, str(problem))
        except UpstreamRejected as error:
            if is_last or type(error) is not UpstreamRejected:
                raise
            options = {name: options[name] for name in options if name != "response_format"}
    raise RecognitionFailed


async def _ask(
    model: str,
    messages: Sequence[Message],
    options: Mapping[str, object],
    called_with: Credentials | None,
    reading: Reading,
) -> str:
    """The text of the reply, cut where it is longer than what was asked for."""
    counter, calls, text = TokenCounter(), list[UpstreamCall](), list[str]()
    answer = routing.answer(
        model,
        messages,
        thinking=False,
        options=options,
        report=calls.append,
        called_with=called_with,
    )
    try:
        async with aclosing(answer) as events:
            async for event in events:
                counter.take(event)
                if isinstance(event, Delta):
                    text.append(event.text)
                if counter.output > 2 * MOST_OUTPUT_TOKENS:
                    break
    finally:
        _record(reading, calls, counter, estimate_prompt_tokens(messages, options))
    return "".join(text)


def _record(
    reading: Reading, calls: Sequence[UpstreamCall], counter: TokenCounter, estimate: int
) -> None:
    """Add the calls of one answer; its tokens count if something was received."""
    tokens = counter.tokens(estimate)
    reading.calls.extend((call, tokens) for call in calls)
    if counter.output:
        reading.replies.append(tokens)


def _sum(counts: Sequence[Tokens]) -> Tokens:
    is_estimated = not counts or any(one.source == "estimated" for one in counts)
    return Tokens(
        sum(one.prompt for one in counts),
        sum(one.completion for one in counts),
        sum(one.cached for one in counts),
        source="estimated" if is_estimated else "reported",
    )
