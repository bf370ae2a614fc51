"""Registration by invite code: checking a code, and the credit that it grants."""

from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import InviteCodeInvalid, InviteCodeRequired
from shared.repos import invites, users, wallets
from shared.repos.invites import Invite
from shared.repos.users import User
from shared.times import now_ms


def check(code: str | None) -> Invite | None:
    """Return the invite for `redeem`, before the costly work of creating the account.

    A given code must be valid even if codes are not required, because it promises
    credit.

    Raises: InviteCodeRequired, InviteCodeInvalid.
    """
    if not code:
        if load(settings.Invites).required:
            raise InviteCodeRequired
        return None
    invite = read(invites.find, code)
    if invite is None or not invite.admits_at(now_ms()):
        raise InviteCodeInvalid
    if invite.owner_id and _reward_fen():
        transaction(wallets.open_wallet, invite.owner_id)
    return invite


def redeem(db: Connection, invite: Invite, user: User) -> None:
    """Use the code for the user added in the same transaction, and grant its credit.

    Raises: InviteCodeInvalid: the last use was taken at the same time.
    """
    if not invites.use(db, invite.code, user.id, at_ms=now_ms()):
        raise InviteCodeInvalid
    if invite.initial_fen:
        wallets.open_wallet(db, user.id)
        wallets.book(
            db, user.id, "grant", invite.initial_fen, key=f"invite:{user.id}", reason="invite code"
        )
    if invite.owner_id and _reward_fen():
        _reward(db, invite.owner_id, user)


def _reward(db: Connection, inviter_id: str, user: User) -> None:
    """Reward an active inviter, once per invited account."""
    inviter = users.find(db, inviter_id)
    if inviter and inviter.is_active:
        wallets.book(
            db, inviter.id, "grant", _reward_fen(), key=f"invited:{user.id}", reason="invite reward"
        )


def _reward_fen() -> int:
    return load(settings.Invites).reward_fen
