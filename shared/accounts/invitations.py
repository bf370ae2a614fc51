"""Coming in by an invite code: who may, and what it brings them and whoever invited them."""

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
    """Return the invite that `redeem` wants, before the work of making the account.

    Where codes are not required, one that is given still has to be good: whoever
    has one counts on what it brings.

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
    """Let in who was just added, in the same transaction, and give what was promised.

    Raises: InviteCodeInvalid: others were quicker.
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
    """Once for each account; nothing for an inviter who is disabled or gone."""
    inviter = users.find(db, inviter_id)
    if inviter and inviter.is_active:
        wallets.book(
            db, inviter.id, "grant", _reward_fen(), key=f"invited:{user.id}", reason="invite reward"
        )


def _reward_fen() -> int:
    return load(settings.Invites).reward_fen
