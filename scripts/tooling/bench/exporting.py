"""One measured program: the export worker (`ours`), or the simplest script (`plain`)."""

import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def ours(export_id: str) -> Callable[[], object]:
    import shared.database.mysql
    import shared.storage.folder  # noqa: F401  # imported before the clock starts, as pymysql is below
    from functions.export_worker.index import handler
    from shared.exports.object_keys import WORKER, WORKER_PATH
    from shared.workers.worker import issue_service_token

    http = {"method": "POST", "path": WORKER_PATH}
    event = {
        "headers": {"Authorization": f"Bearer {issue_service_token(WORKER, export_id)}"},
        "requestContext": {"http": http},
    }
    raw = json.dumps(event).encode()
    return lambda: handler(raw, None)


def plain(folder: str) -> Callable[[], object]:
    import pymysql

    from shared import settings
    from shared.config import load

    target = load(settings.Database).target
    assert target  # noqa: S101  # the benchmark always has a database

    def run() -> None:
        with pymysql.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password.reveal(),
            database=target.name,
            charset="utf8mb4",
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(_SELECT)
            rows = cursor.fetchall()
        with Path(folder, "plain.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([column[0] for column in cursor.description])
            writer.writerows(rows)

    return run


# The columns and order of the product's own export.
_SELECT = """
    SELECT STRAIGHT_JOIN
           m.id, m.conversation_id, c.user_id, m.created_at_ms AS created_at, m.role,
           m.role = 'assistant' AS ai_generated,
           CASE m.role WHEN 'assistant' THEN 'AI生成 (AI-generated)' END AS ai_label,
           m.content, m.model, m.finish_reason, m.prompt_tokens, m.completion_tokens
    FROM messages AS m FORCE INDEX (ix_messages_created)
    JOIN conversations AS c ON c.id = m.conversation_id
    ORDER BY m.created_at_ms, m.id
"""


def main(program: str, argument: str) -> None:
    run = {"ours": ours, "plain": plain}[program](argument)
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    result = {"seconds": seconds, "cpu_seconds": time.process_time(), "peak_mb": _peak_mb()}
    print(json.dumps(result))


def _peak_mb() -> float:
    """Peak memory of this process alone; getrusage would include its parent."""
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
