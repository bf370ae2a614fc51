"""Objects that nobody needs any more are deleted, whatever fails meanwhile, and no others."""

from collections.abc import Mapping
from typing import Any

import pytest

from functions.account.index import handler as account
from functions.maintenance.index import handler as maintenance
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import object_deletions
from shared.times import now_ms
from shared.web.timers import TimerFailed
from tests.events import Context, invoke
from tests.fakes import oss
from tests.functions.upload.uploading import Uploader, rows, send, sql
from tests.people import PASSWORD, register


def run() -> Mapping[str, Any]:
    return maintenance(b"{}", Context())


def age(minutes: int) -> None:
    """As if so many minutes had passed for uploads and for the queue of objects."""
    by_ms = minutes * 60_000
    for column in ("created_at_ms", "expires_at_ms"):
        sql(f"UPDATE uploads SET {column} = {column} - :by", by=by_ms)  # noqa: S608  # ours
    sql("UPDATE object_deletions SET next_at_ms = next_at_ms - :by", by=by_ms)


def test_the_object_of_a_deleted_media_is_deleted(bucket: oss.Bucket, anna: Uploader) -> None:
    gone, kept = anna.media(), anna.media()
    assert anna.ask("DELETE", f"/api/media/{gone['id']}").status == 200

    assert run()["objects"] == 1
    assert list(bucket.objects) == [f"media/{anna.id}/{kept['id']}"]
    age(60)
    run()
    assert list(bucket.objects) == [f"media/{anna.id}/{kept['id']}"]
    assert rows("object_deletions") == []


def test_an_upload_that_is_never_committed_is_deleted_after_a_day(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    anna.uploaded()
    anna.presign()
    age(24 * 60 - 5)
    run()
    assert (len(bucket.objects), len(rows("uploads"))) == (1, 2)

    age(10)
    done = run()
    assert (done["objects"], done["uploads"]) == (2, 2)
    assert (bucket.objects, rows("uploads"), rows("object_deletions")) == ({}, [], [])


def test_what_the_form_of_a_committed_upload_writes_later_is_deleted(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    upload = anna.uploaded()
    media = anna.commit(upload).data
    assert send(upload).status_code == 200
    run()
    assert len(bucket.objects) == 2

    age(31)
    run()
    assert list(bucket.objects) == [f"media/{anna.id}/{media['id']}"]
    age(24 * 60)
    run()
    assert rows("uploads") == []
    assert anna.commit(upload).data == media


def test_a_deleted_account_takes_its_objects_along(bucket: oss.Bucket) -> None:
    session = register("ben").data
    ben = Uploader(session["user"]["id"], session["access_token"])
    committed, open_form = ben.uploaded(), ben.uploaded()
    assert ben.commit(committed).status == 200
    reply = invoke(
        account, "DELETE", "/api/account", token=ben.token, json_body={"password": PASSWORD}
    )
    assert reply.status == 200, reply.body

    for table in ("media", "uploads", "daily_uploads"):
        assert rows(table) == [], table
    assert ben.commit(open_form).status == 401
    assert run()["objects"] == 1
    assert list(bucket.objects) == [f"tmp/{ben.id}/{open_form['upload_id']}"]
    for form in (committed, open_form):
        assert send(form).status_code == 200
    age(31)
    run()
    assert (bucket.objects, rows("object_deletions")) == ({}, [])


def test_an_unreachable_bucket_loses_nothing_and_keeps_no_chore_from_running(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    for _ in range(3):
        assert anna.ask("DELETE", f"/api/media/{anna.media()['id']}").status == 200
    before = {row["object_key"] for row in rows("object_deletions")}
    age(31)
    sql("INSERT INTO rate_limits (name, subject, started_ms, ends_ms, used) VALUES (1, 1, 1, 2, 1)")
    bucket.fail.extend([("delete", 503)] * 100)

    with pytest.raises(TimerFailed, match="storage_unavailable"):
        run()
    assert rows("rate_limits") == []
    assert {row["object_key"] for row in rows("object_deletions")} == before
    assert sorted(row["attempts"] for row in rows("object_deletions"))[-2:] == [0, 1]

    bucket.fail.clear()
    run()
    age(2)
    run()
    assert (bucket.objects, rows("object_deletions")) == ({}, [])


@pytest.mark.parametrize("fault", ["reset", "lose"])
def test_a_deletion_whose_answer_is_lost_ends_in_the_same_state(
    fault: str, bucket: oss.Bucket, anna: Uploader
) -> None:
    assert anna.ask("DELETE", f"/api/media/{anna.media()['id']}").status == 200
    getattr(bucket, fault).extend(["delete"] * 2)
    run()
    age(31)
    run()
    assert (bucket.objects, rows("object_deletions")) == ({}, [])


def test_a_failing_object_is_tried_again_after_longer_and_longer_pauses(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    transaction(object_deletions.queue, ["media/a/b"], at_ms=now_ms(), next_at_ms=now_ms())
    pauses = []
    for _ in range(4):
        bucket.fail.extend([("delete", 403)])
        with pytest.raises(TimerFailed):
            run()
        [row] = rows("object_deletions")
        pauses.append(round((row["next_at_ms"] - now_ms()) / 60_000))
        sql("UPDATE object_deletions SET next_at_ms = 1")
    assert pauses == [1, 2, 4, 8]
    run()
    assert rows("object_deletions") == []


@pytest.mark.usefixtures("database")
def test_without_a_storage_nothing_is_tried() -> None:
    transaction(object_deletions.queue, ["media/a/b"], at_ms=1, next_at_ms=1)
    assert run()["objects"] == 0
    assert len(rows("object_deletions")) == 1


@pytest.mark.usefixtures("database")
def test_an_object_whose_deletion_has_begun_cannot_be_kept() -> None:
    keys = [f"media/a/{new_id()}" for _ in range(2)]
    transaction(object_deletions.queue, keys, at_ms=1, next_at_ms=1)
    due = transaction(object_deletions.list_due, 2, count=1)
    assert transaction(object_deletions.begin, due[0], next_at_ms=99)
    assert not transaction(object_deletions.begin, due[0], next_at_ms=99)
    kept = {key: transaction(object_deletions.keep, key) for key in keys}
    assert kept == {due[0].object_key: False, (set(keys) - {due[0].object_key}).pop(): True}
