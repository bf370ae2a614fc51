"""The bucket fails: an error in time, and a next try that ends in the same state."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.errors import StorageUnavailable
from shared.storage import bucket_requests
from shared.storage.media_choice import media_storage
from shared.storage.media_storage import MediaStorage
from tests.conftest import Configure
from tests.fakes import oss
from tests.fakes.certificate import tls_of, write_certificate
from tests.patience import promised
from tests.shared.storage.uploads import KEY, PNG, stored, terms

FINAL = "media/01USER/01MEDIA.png"
CALLS: dict[str, Callable[[MediaStorage, str], object]] = {
    "head": lambda media, _: media.find(KEY),
    "read": lambda media, etag: media.read(KEY, etag=etag),
    "copy": lambda media, etag: media.copy(KEY, FINAL, etag=etag, content_type="image/png"),
    "delete": lambda media, _: media.remove(KEY),
}
ALWAYS = 100


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter limits; the tests with `promised` use the real ones."""
    monkeypatch.setattr("shared.storage.bucket_requests._CALL_SECONDS", 0.8)
    monkeypatch.setattr("shared.storage.bucket_requests._SILENT_SECONDS", 0.3)


def put_out(bucket: oss.Bucket, fault: str, name: str, times: int) -> None:
    if fault == "503":
        bucket.fail += [(name, 503)] * times
    else:
        getattr(bucket, fault).extend([name] * times)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("fault", ["503", "reset", "lose", "stall"])
def test_a_request_is_repeated_after_a_failure(
    fault: str, name: str, media_bucket: oss.Bucket
) -> None:
    media = media_storage()
    etag = stored(media)
    expected = CALLS[name](media, etag)
    stored(media)
    put_out(media_bucket, fault, name, 1)
    before = media_bucket.requests.count(name)

    assert CALLS[name](media, etag) == expected
    assert media_bucket.requests.count(name) == before + 2


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("fault", ["503", "reset", "lose", "stall", "drip"])
@pytest.mark.usefixtures("hasty")
def test_a_bucket_that_goes_on_failing_is_reported_and_the_next_try_succeeds(
    fault: str, name: str, media_bucket: oss.Bucket
) -> None:
    media = media_storage()
    etag = stored(media)
    put_out(media_bucket, fault, name, ALWAYS)

    with pytest.raises(StorageUnavailable) as failure:
        CALLS[name](media, etag)
    assert oss.KEY.secret not in repr(failure.value.context)
    for pending in (media_bucket.fail, media_bucket.reset, media_bucket.lose):
        pending.clear()
    media_bucket.stall.clear()
    media_bucket.drip.clear()
    media_bucket.gate.set()
    if name == "delete":
        media.remove(KEY)
        assert media.find(KEY) is None
    else:
        CALLS[name](media, etag)
        assert media.read(KEY, etag=etag) == PNG


@pytest.mark.parametrize("fault", ["503", "stall", "drip"])
def test_nobody_waits_longer_than_five_seconds(fault: str, media_bucket: oss.Bucket) -> None:
    media = media_storage()
    put_out(media_bucket, fault, "head", ALWAYS)
    started = time.monotonic()

    with pytest.raises(StorageUnavailable):
        media.find(KEY)
    assert time.monotonic() - started < promised(5)


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal_is_reported_at_once_by_its_code_alone(
    name: str, media_bucket: oss.Bucket
) -> None:
    media = media_storage()
    etag = stored(media)
    before = media_bucket.requests.count(name)
    media_bucket.fail.append((name, 403))

    with pytest.raises(StorageUnavailable) as failure:
        CALLS[name](media, etag)
    assert failure.value.context == {"status": 403, "code": "AccessDenied", "ec": "0000-00000001"}
    assert media_bucket.requests.count(name) == before + 1


def test_a_bucket_that_does_not_exist_is_no_missing_object(
    media_bucket: oss.Bucket, configure: Configure
) -> None:
    configure(OSS_BUCKET="another-bucket")
    media = media_storage()

    for call in CALLS.values():
        with pytest.raises(StorageUnavailable) as failure:
            call(media, "0" * 32)
        assert failure.value.context["code"] == "NoSuchBucket"


def test_a_bucket_without_a_server_is_reported(configure: Configure) -> None:
    with oss.running() as bucket:
        configure(**bucket.variables)

    with pytest.raises(StorageUnavailable) as failure:
        media_storage().find(KEY)
    assert failure.value.context == {"reason": "ConnectionRefusedError"}


@pytest.fixture
def tls_bucket(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[oss.Bucket]:
    """A bucket with a certificate that this machine trusts."""
    certificate = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    bucket_requests._tls.cache_clear()
    with oss.running(tls=tls_of(certificate)) as bucket:
        configure(**bucket.variables)
        yield bucket
    bucket_requests._tls.cache_clear()


def test_the_certificate_of_the_bucket_is_checked(
    tls_bucket: oss.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert media_storage().find(KEY) is None

    monkeypatch.delenv("SSL_CERT_FILE")
    bucket_requests._tls.cache_clear()
    with pytest.raises(StorageUnavailable) as failure:
        media_storage().find(KEY)
    assert failure.value.context == {"reason": "SSLCertVerificationError"}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", ["reset", "lose", "stall", "drip"])
def test_faults_over_tls_are_reported_too(fault: str, tls_bucket: oss.Bucket) -> None:
    media = media_storage()
    put_out(tls_bucket, fault, "head", ALWAYS)

    with pytest.raises(StorageUnavailable):
        media.find(KEY)


def test_our_requests_go_to_the_internal_endpoint_and_clients_to_the_public_one(
    media_bucket: oss.Bucket, configure: Configure
) -> None:
    with oss.running() as public:
        configure(**{**media_bucket.variables, "OSS_PUBLIC_ENDPOINT": public.url})
        media = media_storage()
        stored_at = [media.form(terms()).url, media.put(terms()).url]
        links = [media.link(KEY, filename="x", seconds=60)]
        media.find(KEY)

        assert all(url.startswith(f"{public.url}/") for url in stored_at + links)
        assert (media_bucket.requests, public.requests) == (["head"], [])


@pytest.mark.parametrize(
    "endpoint", ["http://nowhere.invalid", "http://a..b", f"http://{'x' * 70}.example"]
)
@pytest.mark.usefixtures("hasty")
def test_an_endpoint_without_a_host_is_reported(
    endpoint: str, media_bucket: oss.Bucket, configure: Configure
) -> None:
    configure(OSS_ENDPOINT=endpoint)

    with pytest.raises(StorageUnavailable):
        media_storage().find(KEY)
