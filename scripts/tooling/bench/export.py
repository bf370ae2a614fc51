"""`scripts/bench export`: the export worker, compared with a script of `fetchall` and `csv`."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.tooling.bench.product import database
from scripts.tooling.environment import ROOT
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.exports.export_request import ExportRequest
from shared.ids import new_id
from shared.repos import export_jobs, users
from shared.repos.export_jobs import Job
from shared.repos.users import User
from shared.times import now_ms

_ROWS = "10000,100000,1000000"
_FIRST_MS = 1_795_348_800_000
_INTERVAL_MS = 700

# Texts of messages: half have commas, a quarter quotation marks, a quarter line breaks.
_TEXTS = (
    "你好，请问这个药饭前吃还是饭后吃？我今天早上忘记吃了，现在补吃可以吗，会不会有影响，谢谢。",
    "Yes, take it with water, half an hour before a meal, and not together with milk or coffee.",
    'The label says "keep refrigerated", so put it back at 2 to 8 degrees after each dose of it.',
    "1. 每日两次\n2. 每次一片\n3. 饭后半小时服用，如有不适请立即停药并咨询医生，不要自行加量。",
)
_HEADINGS = ["rows", "ours/s", "plain/s", "ratio", "CPU ratio", "ours MB", "plain MB"]
_LEGEND = """
/s     rows per second, the median; ours includes hashing, multipart upload and progress
ratio  speed of ours / speed of plain; CPU ratio: the same of processor time, with Python's start
MB     peak memory of the process
"""


@dataclass(frozen=True)
class Measured:
    seconds: float
    cpu_seconds: float
    peak_mb: float


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench export", description=__doc__)
    parser.add_argument("--rows", default=_ROWS, help=f"sizes of the table; default {_ROWS}")
    parser.add_argument(
        "--rounds", type=int, default=3, help="runs of each program; the median counts"
    )
    options = parser.parse_args(arguments)
    counts = [int(text) for text in options.rows.split(",")]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        print("scripts/bench: needs Linux and two processor cores", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, cores[1:])  # for the database
    with database() as variables, tempfile.TemporaryDirectory(dir=ROOT / ".local") as folder:
        given = {**variables, "STORAGE_FOLDER": folder, "PATH": os.defpath}
        _measure(counts, options.rounds, given, cores[0])
    return 0


def _measure(counts: Sequence[int], rounds: int, variables: Mapping[str, str], core: int) -> None:
    print("messages as CSV, each program in a process of its own on one core")
    print(_line(_HEADINGS), flush=True)
    peaks = []
    for count in counts:
        _fill_table(count)
        pairs = [(_run_ours(variables, core), _run_plain(variables, core)) for _ in range(rounds)]
        ours, plain = (_median(one) for one in zip(*pairs, strict=True))
        peaks.append(ours.peak_mb)
        ratios = (plain.seconds / ours.seconds, plain.cpu_seconds / ours.cpu_seconds)
        speeds = [f"{count / one.seconds:.0f}" for one in (ours, plain)]
        sizes = [f"{one.peak_mb:.1f}" for one in (ours, plain)]
        cells = [str(count), *speeds, *(f"{ratio:.2f}" for ratio in ratios), *sizes]
        print(_line(cells), flush=True)
    print(f"memory of ours grows by {peaks[-1] - peaks[0]:.1f} MB from {counts[0]} rows on")
    print(f"cancelled within {_seconds_to_cancel(variables, core):.2f} s", flush=True)
    print(_LEGEND, end="")


def _median(runs: Sequence[Measured]) -> Measured:
    return Measured(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs),
        max(run.peak_mb for run in runs),
    )


def _fill_table(count: int) -> None:
    """Fill the table on a connection with a long statement limit."""
    connection = transactions.connect(5, 600)
    connection.begin()
    _insert_messages(connection, count)
    connection.commit()
    connection.close()


def _insert_messages(connection: Connection, count: int) -> None:
    """Replace all messages by `count` new ones, numbered by six digits."""
    connection.execute("DELETE FROM messages")
    if not connection.exists("SELECT id FROM conversations"):
        user = User("u", None, "bench", None, "admin", now_ms(), None)
        users.add(connection, user)
        connection.execute(
            """
            INSERT INTO conversations (id, user_id, title, created_at_ms, updated_at_ms)
            VALUES ('01M8A0000000000000CONVERS0', 'u', 'bench', 1, 1)
            """
        )
    digits = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))
    tables = " CROSS JOIN ".join(f"({digits}) AS t{power}" for power in range(6))
    number = " + ".join(f"t{power}.d * {10**power}" for power in range(6))
    texts = ", ".join(f":text{index}" for index in range(len(_TEXTS)))
    connection.execute(
        f"""
        INSERT INTO messages
            (id, conversation_id, role, content, model, finish_reason, prompt_tokens,
             completion_tokens, created_at_ms)
        SELECT CONCAT('01M8A000000000000000', LPAD(n, 6, '0')), '01M8A0000000000000CONVERS0',
               IF(MOD(n, 2) = 0, 'user', 'assistant'),
               ELT(MOD(n, {len(_TEXTS)}) + 1, {texts}),
               IF(MOD(n, 2) = 0, NULL, 'qwen-plus'), IF(MOD(n, 2) = 0, NULL, 'stop'),
               IF(MOD(n, 2) = 0, NULL, MOD(n, 900)), IF(MOD(n, 2) = 0, NULL, MOD(n, 300)),
               :first_ms + n * :apart_ms
        FROM (SELECT {number} AS n FROM {tables}) AS numbers
        WHERE n < :count
        """,  # noqa: S608  # made of constants
        count=count,
        first_ms=_FIRST_MS,
        apart_ms=_INTERVAL_MS,
        **{f"text{index}": text for index, text in enumerate(_TEXTS)},
    )


def _run_ours(variables: Mapping[str, str], core: int) -> Measured:
    export_id = _queue_export()
    measured = _result_of(_start("ours", variables, core, export_id))
    job = read(export_jobs.get, export_id)
    if job.state != "done":
        raise SystemExit(f"the export ended as {job}")
    return measured


def _run_plain(variables: Mapping[str, str], core: int) -> Measured:
    return _result_of(_start("plain", variables, core, variables["STORAGE_FOLDER"]))


def _seconds_to_cancel(variables: Mapping[str, str], core: int) -> float:
    export_id = _queue_export()
    process = _start("ours", variables, core, export_id)
    while read(export_jobs.get, export_id).rows_written == 0:
        time.sleep(0.02)
    cancelled_at = time.perf_counter()
    transaction(export_jobs.ask_to_cancel, export_id)
    while read(export_jobs.get, export_id).state == "running":
        time.sleep(0.02)
    seconds = time.perf_counter() - cancelled_at
    process.communicate()
    return seconds if read(export_jobs.get, export_id).state == "cancelled" else float("nan")


def _queue_export() -> str:
    job = Job(new_id(), "u", ExportRequest("messages", "csv").as_json, now_ms(), now_ms())
    transaction(export_jobs.add, job)
    return job.id


def _start(
    program: str, variables: Mapping[str, str], core: int, argument: str
) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.tooling.bench.exporting", program, argument],
        cwd=ROOT,
        env=dict(variables),
        stdout=subprocess.PIPE,
    )
    os.sched_setaffinity(process.pid, {core})
    return process


def _result_of(process: "subprocess.Popen[bytes]") -> Measured:
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit("a measured program failed; its error is above")
    return Measured(**json.loads(output.splitlines()[-1]))


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.rjust(9) for cell in cells)
