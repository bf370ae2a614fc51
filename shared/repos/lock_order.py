"""Lock order: the order in which every transaction locks rows of these tables.

Two transactions that lock the same rows in different orders deadlock. Concluding a turn
locks rows of all four tables, so every other transaction follows its order. A row that
is locked already may be changed again at any time, and inserting a row of `turns` or
`conversations` waits for no one's lock on a row, because its id is new.
"""

LOCK_ORDER = ("turns", "daily_messages", "wallets", "conversations")
