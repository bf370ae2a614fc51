"""Sessions and users as JSON. Does no I/O."""

from shared.repos.users import User
from shared.times import iso_utc


def session_json(
    user: User, *, access_token: str, expires_in: int, refresh_token: str
) -> dict[str, object]:
    return {
        "user": user_json(user),
        "access_token": access_token,
        "expires_in": expires_in,
        "refresh_token": refresh_token,
    }


def user_json(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "role": user.role,
        "created_at": iso_utc(user.created_at_ms),
    }
