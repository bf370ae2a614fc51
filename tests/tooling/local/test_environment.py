"""Local commands always run in development, also with a `.env` for production."""

from pathlib import Path

import pytest

from scripts.tooling.environment import local_environment

HERE = {
    "EXPORT_WORKER_URL": "http://127.0.0.1:8000",
    "STORAGE_FOLDER_URL": "http://127.0.0.1:8000",
}


def test_a_fresh_clone_gets_an_embedded_database_and_its_own_secrets(tmp_path: Path) -> None:
    variables = local_environment({}, tmp_path)

    names = ("jwt-secret", "upstream-keys-secret")
    secret, other = [(tmp_path / ".local" / name).read_text() for name in names]
    assert variables == {
        "APP_ENV": "development",
        "DATABASE_URL": f"sqlite:///{tmp_path}/.local/app.db",
        "JWT_SECRET": secret,
        "UPSTREAM_KEYS_SECRET": other,
        "STORAGE_FOLDER": f"{tmp_path}/.local/files",
        **HERE,
    }
    assert len(secret) == len(other) == 64
    assert secret != other


def test_the_secret_outlives_a_restart_and_is_for_the_owner_alone(tmp_path: Path) -> None:
    first = local_environment({}, tmp_path)["JWT_SECRET"]

    assert local_environment({}, tmp_path)["JWT_SECRET"] == first
    assert (tmp_path / ".local" / "jwt-secret").stat().st_mode & 0o777 == 0o600
    kept = sorted(path.name for path in (tmp_path / ".local").iterdir())
    assert kept == ["jwt-secret", "upstream-keys-secret"]


def test_two_clones_have_different_secrets(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    one = local_environment({}, tmp_path / "one")["JWT_SECRET"]

    assert one != local_environment({}, tmp_path / "two")["JWT_SECRET"]


def test_the_process_wins_over_the_file_and_the_stage_is_development(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "APP_ENV=production\n"
        "OPENAI_MODEL=from-file\n"
        "export REGION='cn-shanghai'  # nearer\n"
        'DB_PASSWORD="pa${HOME}$word#1"\n'
        "DB_HOST=db.internal\n"
        "NEXTAUTH_SECRET=of-the-file\n"
        "UPSTREAM_KEYS_SECRET=of-the-file-too\n"
        "NOT_A_SETTING\n"
    )

    variables = local_environment({"OPENAI_MODEL": "from-process"}, tmp_path)

    assert variables == {
        "APP_ENV": "development",
        "OPENAI_MODEL": "from-process",
        "REGION": "cn-shanghai",
        "DB_PASSWORD": "pa${HOME}$word#1",
        "DB_HOST": "db.internal",
        "NEXTAUTH_SECRET": "of-the-file",
        "UPSTREAM_KEYS_SECRET": "of-the-file-too",
        "STORAGE_FOLDER": f"{tmp_path}/.local/files",
        **HERE,
    }


@pytest.mark.parametrize("name", ["DATABASE_URL", "JWT_SECRET", "UPSTREAM_KEYS_SECRET"])
def test_an_empty_line_of_the_example_file_means_not_set(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"{name}=\n")

    assert local_environment({}, tmp_path) == local_environment({name: " "}, tmp_path)
    assert local_environment({}, tmp_path)[name]


def test_a_worker_that_is_deployed_is_never_called_from_here(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EXPORT_WORKER_URL=https://api.example.com\n")

    assert local_environment({}, tmp_path)["EXPORT_WORKER_URL"] == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, "https://oss-cn-hangzhou.aliyuncs.com"),
        ({"OSS_REGION": "oss-cn-beijing"}, "https://oss-cn-beijing.aliyuncs.com"),
        ({"OSS_PUBLIC_ENDPOINT": "files.example.com"}, "files.example.com"),
        (
            {"OSS_ENDPOINT": "oss-cn-beijing-internal.aliyuncs.com", "REGION": "cn-beijing"},
            "https://oss-cn-beijing.aliyuncs.com",
        ),
        ({"OSS_ENDPOINT": "http://127.0.0.1:9001"}, "http://127.0.0.1:9001"),
    ],
)
def test_a_bucket_is_reached_from_outside(
    given: dict[str, str], endpoint: str, tmp_path: Path
) -> None:
    variables = local_environment({"OSS_BUCKET": "mine", **given}, tmp_path)

    assert variables["OSS_ENDPOINT"] == endpoint
    assert "STORAGE_FOLDER" not in variables
