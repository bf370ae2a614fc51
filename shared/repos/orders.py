"""Orders: credit packages that users buy."""

from dataclasses import dataclass

from shared.cursor import END, Cursor
from shared.database.connection import Connection


@dataclass(frozen=True)
class Order:
    """`number` is this service's; `transaction_id` the payment provider's, set when it is paid."""

    number: str
    user_id: str
    package_id: str
    amount_fen: int
    credit_fen: int
    status: str
    transaction_id: str | None
    created_at_ms: int
    paid_at_ms: int | None
    refunded_at_ms: int | None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.created_at_ms, self.number)


@dataclass(frozen=True)
class OrderFilter:
    """None means any value. The period is that of the creation; it excludes `to_ms`."""

    status: str | None = None
    user_id: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


def add(db: Connection, order: Order) -> None:
    db.execute(
        """
        INSERT INTO orders
            (number, user_id, package_id, amount_fen, credit_fen, status, transaction_id,
             created_at_ms, paid_at_ms, refunded_at_ms)
        VALUES
            (:number, :user_id, :package_id, :amount_fen, :credit_fen, :status, :transaction_id,
             :created_at_ms, :paid_at_ms, :refunded_at_ms)
        """,
        **vars(order),
    )


def list_newest(
    db: Connection, filters: OrderFilter, *, after: Cursor | None, count: int
) -> list[Order]:
    return db.find_all(
        Order,
        f"""
        SELECT number, user_id, package_id, amount_fen, credit_fen, status, transaction_id,
            created_at_ms, paid_at_ms, refunded_at_ms
        FROM orders /*! FORCE INDEX ({_index(filters)}) */
        WHERE created_at_ms <= :at AND (created_at_ms < :at OR number < :id)
            AND (:status IS NULL OR status = :status)
            AND (:user_id IS NULL OR user_id = :user_id)
            AND (:from_ms IS NULL OR created_at_ms >= :from_ms)
            AND (:to_ms IS NULL OR created_at_ms < :to_ms)
        ORDER BY created_at_ms DESC, number DESC
        LIMIT :count
        """,  # noqa: S608  # the index is one of ours
        count=count,
        **vars(filters),
        **vars(after or END),
    )


def _index(filters: OrderFilter) -> str:
    """The index with the filter and the order: left alone, MariaDB reads all rows before a page."""
    if filters.user_id is not None:
        return "ix_orders_user"
    return "ix_orders_created" if filters.status is None else "ix_orders_status"
