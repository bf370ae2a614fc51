"""Rows of an ordinary day for `scripts/bench size`: users with sessions, chats and purchases."""

from dataclasses import dataclass, replace

from shared.accounts import sessions
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.money import charging
from shared.money.charging import ReservationTerms
from shared.pricing import Price, Tokens
from shared.repos import (
    answer_chunks,
    audit,
    export_jobs,
    idempotency,
    invites,
    locations,
    orders,
    prices,
    rate_limits,
    turns,
    upstream_calls,
    users,
    wallets,
)
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.export_jobs import Job
from shared.repos.idempotency import IdempotencyKey
from shared.repos.invites import Invite
from shared.repos.locations import Location
from shared.repos.orders import Order
from shared.repos.rate_limits import Counter
from shared.repos.turns import Turn
from shared.repos.upstream_calls import UpstreamCall
from shared.repos.users import User
from shared.times import now_ms, shanghai_day

CHATS_OF_USER, CHATS_OF_CONVERSATION, FREE_OF_USER = 10, 5, 5
QUESTION = "What is it called?"
_PRICE = Price("qwen-plus", 1, "token", input_ufen=80_000, output_ufen=200_000)
_CALL = UpstreamCall("dashscope", "ok", 400, 1500)
_HASH = "sha384-$2b$12$" + "x" * 53
_GRANT_FEN = 100_000


@dataclass(frozen=True)
class Chat:
    user_id: str
    day: str
    answer: str


def fill(chats: int, answer_characters: int) -> None:
    """Store users with ten chats each: two conversations, half of the messages paid."""
    answer = "答" * answer_characters
    for number in range(-(-chats // CHATS_OF_USER)):
        user = transaction(_add_user, number)
        day = shanghai_day(now_ms())
        transaction(charging.prepare, user.id, user.id, day)
        transaction(_add_money, user, number)
        chat = Chat(user.id, day, answer)
        conversation_id = ""
        for count in range(min(CHATS_OF_USER, chats - number * CHATS_OF_USER)):
            is_first = count % CHATS_OF_CONVERSATION == 0
            conversation_id = _chat(chat, "" if is_first else conversation_id)


def _add_user(db: Connection, number: int) -> User:
    email = f"somebody.{number}@example.com"
    user = User(new_id(), email, None, _HASH, "user", now_ms(), None)
    users.add(db, user)
    locations.add(db, Location(new_id(), user.id, 39.909, 116.397, "gcj02", 30, now_ms(), now_ms()))
    sessions.open_session(db, user, "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36")
    return user


def _add_money(db: Connection, user: User, number: int) -> None:
    now = now_ms()
    wallets.book(db, user.id, "purchase", _GRANT_FEN, key=f"order:{number}", reason="package")
    times = (now, now, None)
    orders.add(db, Order(f"{number:020}", user.id, "package", 1000, 1000, "paid", new_id(), *times))
    invites.add(db, Invite(new_id(), user.id, 5, 0, 0, "", True, None, user.id, now))
    audit.record(db, user.id, "credits.adjust", {"user_id": user.id, "amount_fen": 1000})
    export_jobs.add(db, Job(new_id(), user.id, '{"dataset": "usage"}', now, now))
    prices.add(db, replace(_PRICE, version=number + 1), changed_by=user.id)


def _chat(chat: Chat, conversation_id: str) -> str:
    """One question with its answer; return the id of the conversation."""
    turn = transaction(_opened, chat, conversation_id)
    transaction(answer_chunks.add, turn.message_id, 0, AnswerChunk("text", chat.answer))
    transaction(_ended, turn, chat)
    return turn.conversation_id or ""


def _opened(db: Connection, chat: Chat, conversation_id: str) -> Turn:
    message_id, now = new_id(), now_ms()
    key = IdempotencyKey(chat.user_id, new_id(), "0" * 64, message_id, now)
    idempotency.claim(db, key)
    rate_limits.take_all(db, [Counter("chat", chat.user_id, 1000, 60_000)], at_ms=now)
    turn = Turn(
        message_id=message_id,
        subject=chat.user_id,
        user_id=chat.user_id,
        conversation_id=conversation_id or message_id,
        question=QUESTION,
        model=_PRICE.model,
        payment="free",
        day=chat.day,
        daily_limit=FREE_OF_USER,
        reserved_fen=0,
        price="",
        prompt_tokens=50,
        lease_until_ms=now,
        created_at_ms=now,
    )
    return charging.reserve(db, turn, ReservationTerms(3, lambda: _PRICE, max_tokens=2048))


def _ended(db: Connection, turn: Turn, chat: Chat) -> None:
    tokens = Tokens(50, len(chat.answer), source="reported")
    conclude(db, turns.get(db, turn.message_id), Ending(chat.answer, "stop", tokens))
    upstream_calls.add(
        db, turn.message_id, 1, _CALL, tokens, model=turn.model, at_ms=turn.created_at_ms
    )
