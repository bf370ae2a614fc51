"""Accounts over a connection to the database that loses replies."""

import pytest

from shared import settings
from shared.database import transactions
from tests.conftest import Configure
from tests.fakes.proxy import proxy_to
from tests.people import log_in, register


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize(
    ("request_lost", "after"),
    [(b"COMMIT", b"INSERT INTO users"), (b"INSERT INTO users", b"START TRANSACTION")],
    ids=["at COMMIT", "before it"],
)
def test_a_registration_whose_reply_is_lost_leaves_no_account_that_bars_its_repetition(
    request_lost: bytes, after: bytes, database: str, configure: Configure
) -> None:
    target = settings.database_url(database)
    with proxy_to(target.host, target.port) as proxy:
        through = database.replace(f":{target.port}/", f":{proxy.port}/")
        configure(DATABASE_URL=f"{through}?ssl-mode=disabled")
        lost = proxy.lose_reply(request_lost, after=after)
        first = register()
        reply = first if first.status == 201 else register()
        assert lost.happened.is_set()
        assert (reply.status, log_in().status) == (201, 200)
        transactions.disconnect()

    assert first.status == 201
