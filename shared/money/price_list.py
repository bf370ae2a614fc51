"""The current price of each model, and changing it while keeping the history."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.errors import InvalidRequest
from shared.pricing import MOST_UFEN, Price, fen_per_million
from shared.problems import Problem, detail
from shared.repos import prices

_LARGEST_FACTOR = 100
_MOST_MESSAGE_FEN = 1_000_000
_LONGEST_MODEL = 128
_COMPONENTS = {
    "message_fen": _MOST_MESSAGE_FEN,
    "input_ufen": MOST_UFEN,
    "cached_ufen": MOST_UFEN,
    "output_ufen": MOST_UFEN,
}


@dataclass(frozen=True)
class NewPrice:
    """A price without a version; its fields are those of pricing.Price.

    `cached_ufen` may be None with a price per token: it is then `input_ufen`.
    """

    model: str
    unit: Literal["message", "token"]
    message_fen: int | None = None
    input_ufen: int | None = None
    cached_ufen: int | None = None
    output_ufen: int | None = None


def current(db: Connection, model: str) -> Price | None:
    """The stored price or the default one; None if the credit system is off."""
    return ask_current(db, model)()


def ask_current(db: Connection, model: str) -> Callable[[], Price | None]:
    """Defer the reading of what `current` returns; the result returns it."""
    if not load(settings.Quota).enable_credit_system:
        return lambda: None
    asked = prices.ask_current(db, model)
    return lambda: asked.first(Price) or _default(model)


def list_current(db: Connection) -> list[Price]:
    """The stored prices; every other model has the default one."""
    if not load(settings.Quota).enable_credit_system:
        return []
    return [version.price for version in prices.list_latest(db)]


def of(db: Connection, models: Iterable[str]) -> dict[str, Price]:
    """The price of each of these models; empty if the credit system is off."""
    if not load(settings.Quota).enable_credit_system:
        return {}
    stored = {version.model: version.price for version in prices.list_latest(db)}
    return {model: stored.get(model) or _default(model) for model in models}


def change(db: Connection, new: NewPrice, *, changed_by: str, confirmed: bool = False) -> Price:
    """Add the next version of a model's price. `changed_by` is a user's id.

    Raises:
        InvalidRequest: it is not a valid price, or it may be a typing error and is not
            confirmed: an amount changes more than 100-fold, or from or to zero, as all
            of them do with another unit. `details` name the amounts.
        ChangedMeanwhile: another administrator has changed it at the same time.
    """
    _refuse(_problems(new))
    before = _current(db, new.model)
    price = _price(new, before.version + 1)
    if not confirmed:
        _refuse(_jumps(before, price))
    prices.add(db, price, changed_by=changed_by)
    return price


def _refuse(problems: Iterable[Mapping[str, str]]) -> None:
    details = list(problems)
    if details:
        raise InvalidRequest(details=details)


def _current(db: Connection, model: str) -> Price:
    return prices.find_current(db, model) or _default(model)


def _default(model: str) -> Price:
    return Price(model, 0, "message", message_fen=load(settings.Quota).message_price_fen)


def _price(new: NewPrice, version: int) -> Price:
    cached = new.input_ufen if new.cached_ufen is None else new.cached_ufen
    return Price(
        new.model,
        version,
        new.unit,
        new.message_fen or 0,
        new.input_ufen or 0,
        cached or 0,
        new.output_ufen or 0,
    )


def _problems(new: NewPrice) -> Iterator[Mapping[str, str]]:
    if new.model != new.model.strip() or not 0 < len(new.model) <= _LONGEST_MODEL:
        yield _problem(
            "model",
            f"must be 1 to {_LONGEST_MODEL} characters, no blanks around them",
            f"必须是 1 到 {_LONGEST_MODEL} 个字符，首尾不能有空格",
        )
    if new.unit not in {"message", "token"}:
        yield _problem("unit", "must be message or token", "必须是 message 或 token")
        return
    for name, most in _COMPONENTS.items():
        amount = getattr(new, name)
        is_of_unit = (name == "message_fen") == (new.unit == "message")
        if amount is None:
            if is_of_unit and name != "cached_ufen":
                yield _problem(
                    name, f"must be given where the unit is {new.unit}", f"按 {new.unit} 计价时必填"
                )
        elif type(amount) is not int or not 0 <= amount <= most:
            shown = _shown(name, most)
            yield _problem(name, f"must be from 0 to {shown}", f"必须在 0 到 {shown} 之间")
        elif amount and not is_of_unit:
            yield _problem(
                name, f"must be 0 where the unit is {new.unit}", f"按 {new.unit} 计价时必须为 0"
            )


def _jumps(before: Price, after: Price) -> Iterator[Mapping[str, str]]:
    for name in _COMPONENTS:
        old, new = getattr(before, name), getattr(after, name)
        low, high = sorted((old, new))
        if high > low * _LARGEST_FACTOR:
            first, then = _shown(name, old), _shown(name, new)
            yield _problem(
                name,
                f"changes from {first} to {then}: must be confirmed",
                f"从 {first} 变为 {then}，需要确认（confirmed）",
            )


def _shown(name: str, amount: int) -> int | float:
    """An amount as clients read and write it."""
    return amount if name == "message_fen" else fen_per_million(amount)


def _problem(name: str, en: str, zh: str) -> Mapping[str, str]:
    """About a field, by the name that clients use."""
    return detail(f"body.{name.replace('_ufen', '_fen_per_million')}", Problem(en, zh))
