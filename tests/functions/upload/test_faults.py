"""Commits at the same time, with a storage that fails, and in processes that are killed."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest

from shared.database import transactions
from tests.events import Reply
from tests.fakes import oss
from tests.functions.upload.test_objects import age, run
from tests.functions.upload.uploading import OTHER_PNG, PNG, Uploader, rows, send, sql
from tests.patience import HANG_SECONDS
from tests.web import eventually

on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)
MANY = 100  # more than are tried within the time limit


def commit_elsewhere(anna: Uploader, upload: Any) -> Reply:
    """In another thread or process, whose connection is closed after it."""
    try:
        return anna.commit(upload)
    finally:
        transactions.disconnect()


def settled(bucket: oss.Bucket, anna: Uploader, upload: Any) -> Any:
    """The media of the upload, which is one row and, after maintenance, one object."""
    reply = anna.commit(upload)
    assert reply.status == 200, reply.body
    age(31)
    run()
    [row] = rows("media")
    assert (row["id"], row["upload_id"]) == (reply.data["id"], upload["upload_id"])
    assert list(bucket.objects) == [row["object_key"]]
    assert rows("object_deletions") == []
    return reply.data


def meet(barrier: Barrier) -> None:
    """Begin when all processes have started."""
    barrier.wait(HANG_SECONDS)


@on_mariadb
def test_a_hundred_commits_at_once_make_one_media_of_one_object(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    upload = anna.uploaded()

    spawn = get_context("spawn")
    with spawn.Pool(6, meet, (spawn.Barrier(6),)) as pool:
        calls = [pool.apply_async(commit_elsewhere, (anna, upload)) for _ in range(100)]
        replies = [call.get(HANG_SECONDS) for call in calls]

    done = [reply for reply in replies if reply.status == 200]
    early = {(reply.status, reply.error) for reply in replies if reply.status != 200}
    assert early <= {(409, "in_progress")}
    assert {reply.data["id"] for reply in done} == {settled(bucket, anna, upload)["id"]}
    assert bucket.requests.count("copy") == 1


@on_mariadb
@pytest.mark.parametrize("action", ["head", "read", "copy"])
@pytest.mark.parametrize("fault", ["fail", "reset", "lose", "stall"])
def test_a_store_that_fails_is_told_and_the_next_try_ends_well(
    fault: str, action: str, bucket: oss.Bucket, anna: Uploader
) -> None:
    upload, pending = anna.uploaded(), getattr(bucket, fault)
    pending.extend([(action, 503) if fault == "fail" else action] * MANY)

    failed = anna.commit(upload)

    assert (failed.status, failed.error) == (503, "storage_unavailable")
    assert int(failed.headers["Retry-After"]) > 0
    assert rows("media") == []
    pending.clear()
    bucket.gate.set()
    settled(bucket, anna, upload)


@on_mariadb
@pytest.mark.parametrize("fault", ["reset", "lose", "fail"])
@pytest.mark.parametrize("action", ["head", "read", "copy", "delete"])
def test_one_failure_of_the_store_is_not_seen(
    fault: str, action: str, bucket: oss.Bucket, anna: Uploader
) -> None:
    upload = anna.uploaded()
    getattr(bucket, fault).append((action, 503) if fault == "fail" else action)
    assert anna.commit(upload).status == 200
    settled(bucket, anna, upload)


@on_mariadb
def test_a_store_that_deletes_nothing_does_not_keep_a_commit_from_ending(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    good, bad = anna.uploaded(), anna.uploaded(OTHER_PNG[::-1])
    bucket.fail.extend([("delete", 503)] * MANY)
    assert anna.commit(good).status == 200
    assert anna.commit(bad).error == "media_invalid"
    bucket.fail.clear()
    settled(bucket, anna, good)
    assert anna.commit(bad).error == "media_invalid"


@contextmanager
def stalled(bucket: oss.Bucket, action: str) -> Iterator[None]:
    """Let the next request of this kind wait; at the end it goes on, as does its handler."""
    gate = bucket.gate = threading.Event()
    bucket.stall.append(action)
    try:
        yield
    finally:
        gate.set()


def wait_for(bucket: oss.Bucket, action: str, before: int) -> None:
    eventually(lambda: action in bucket.requests[before:])


@on_mariadb
@pytest.mark.parametrize("step", ["head", "read", "copy", "delete"])
def test_a_commit_that_is_killed_is_completed_by_the_next(
    step: str, bucket: oss.Bucket, anna: Uploader
) -> None:
    """Its last request reaches the store, and takes effect after the next commit."""
    upload, before = anna.uploaded(), len(bucket.requests)
    with stalled(bucket, step):
        process = get_context("spawn").Process(target=commit_elsewhere, args=(anna, upload))
        process.start()
        wait_for(bucket, step, before)
        process.kill()
        process.join(HANG_SECONDS)

        early = anna.commit(upload)
        if step == "delete":
            assert early.status == 200
        else:
            assert (early.status, early.error) == (409, "in_progress")
        sql("UPDATE uploads SET lease_until_ms = 0")
        media = anna.commit(upload).data
    eventually(lambda: bucket.gate.is_set())
    assert settled(bucket, anna, upload) == media
    assert anna.content(media["id"]) == PNG


@contextmanager
def stalled_after_copy(bucket: oss.Bucket, start: Callable[[], object]) -> Iterator[None]:
    """Start a commit, and stop it when its copy has been made: it looks at the copy then."""
    before = len(bucket.requests)
    with stalled(bucket, "read"):
        start()
        wait_for(bucket, "read", before)
        reading = bucket.gate
        with stalled(bucket, "head"):
            reading.set()
            wait_for(bucket, "copy", before)
            eventually(lambda: "head" not in bucket.stall)
            yield


@on_mariadb
def test_a_commit_that_is_killed_after_its_copy_leaves_nothing(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    upload = anna.uploaded()
    process = get_context("spawn").Process(target=commit_elsewhere, args=(anna, upload))
    with stalled_after_copy(bucket, process.start):
        process.kill()
        process.join(HANG_SECONDS)
    assert (len(bucket.objects), rows("media")) == (2, [])

    sql("UPDATE uploads SET lease_until_ms = 0")
    media = settled(bucket, anna, upload)
    assert anna.content(media["id"]) == PNG


@on_mariadb
def test_a_slow_commit_that_another_overtook_changes_nothing(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    upload, slow = anna.uploaded(), Future[Reply]()
    commit = threading.Thread(target=lambda: slow.set_result(commit_elsewhere(anna, upload)))
    with stalled_after_copy(bucket, commit.start):
        sql("UPDATE uploads SET lease_until_ms = 0")
        media = anna.commit(upload).data
    late = slow.result(HANG_SECONDS)

    # On a busy machine the time for the storage may be over.
    assert late.error == "storage_unavailable" if late.status == 503 else late.data == media
    assert settled(bucket, anna, upload) == media
    assert anna.content(media["id"]) == PNG


@on_mariadb
def test_a_file_that_is_replaced_while_it_is_verified_is_verified_again(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    upload, before = anna.uploaded(), len(bucket.requests)
    with ThreadPoolExecutor(1) as pool, stalled(bucket, "copy"):
        slow = pool.submit(commit_elsewhere, anna, upload)
        wait_for(bucket, "copy", before)
        assert send(upload, OTHER_PNG).status_code == 200
        bucket.gate.set()
        reply = slow.result(HANG_SECONDS)

    assert reply.error in {"changed_meanwhile", "storage_unavailable"}
    media = settled(bucket, anna, upload)
    assert anna.content(media["id"]) == OTHER_PNG
