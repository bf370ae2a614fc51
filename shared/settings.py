"""Every setting of the product, one section per concern."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from shared.config import (
    Rate,
    Secret,
    boolean,
    duration_seconds,
    env,
    http_url,
    names_list,
    one_of,
    rate,
    whole,
)
from shared.errors import Misconfigured
from shared.guessable import is_guessable


@dataclass(frozen=True)
class Http:
    """HTTP: allowed origins, error statuses, and proxies in front of the platform."""

    allowed_origins: tuple[str, ...] = env("ALLOWED_ORIGINS", parse=names_list, default=())
    frontend_base_url: str = env("FRONTEND_BASE_URL", parse=http_url, default="")
    envelope_always_200: bool = env("ENVELOPE_ALWAYS_200", parse=boolean, default=False)
    trusted_proxy_hops: int = env("TRUSTED_PROXY_HOPS", parse=whole(0, 10), default=0)

    def unsafe(self) -> Iterator[str]:
        if "*" in self.allowed_origins:
            yield "ALLOWED_ORIGINS must list origins in production, not *"


@dataclass(frozen=True)
class DatabaseTarget:
    """The address of a database. `tls` is one of TLS_MODES; `path` is for SQLite only."""

    scheme: str
    host: str = ""
    port: int = 3306
    user: str = ""
    password: Secret = Secret("")
    name: str = ""
    path: str = ""
    tls: str = "preferred"


TLS_MODES = ("disabled", "preferred", "required", "verify_identity")


def database_url(text: str) -> DatabaseTarget:
    """Parse `mysql://`, `mysql+pymysql://` or `sqlite:///path`.

    `?ssl-mode=` takes MySQL's own names (MySQL manual, "Command Options for
    Encrypted Connections"): DISABLED, PREFERRED, REQUIRED or VERIFY_IDENTITY.
    """
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite":
        if len(rest) < 2 or not rest.startswith("/"):
            raise ValueError("must be sqlite:///relative/path or sqlite:////absolute/path")
        return DatabaseTarget("sqlite", path=unquote(rest[1:].partition("?")[0]))
    if scheme in {"postgres", "postgresql"}:
        raise ValueError("names PostgreSQL, which is not supported; use mysql:// or sqlite:///")
    if scheme not in {"mysql", "mysql+pymysql"}:
        raise ValueError("must start with mysql:// or sqlite:///")
    try:
        parts = urlsplit(text)
        port = parts.port or 3306
        if "@" in parts.path:  # an unescaped slash in the password
            raise ValueError
    except ValueError:
        raise ValueError("is not a URL; percent-encode special characters") from None
    if not parts.hostname or not parts.path.strip("/"):
        raise ValueError("must look like mysql://user:password@host:3306/name")
    return DatabaseTarget(
        "mysql",
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=Secret(unquote(parts.password or "")),
        name=unquote(parts.path.strip("/")),
        tls=_tls_mode(parts.query),
    )


def _tls_mode(query: str) -> str:
    options = {name.lower(): values[-1].lower() for name, values in parse_qs(query).items()}
    mode = options.get("ssl-mode", options.get("sslmode", options.get("ssl", "preferred")))
    mode = {"false": "disabled", "0": "disabled", "true": "required", "1": "required"}.get(
        mode, mode
    )
    if mode not in TLS_MODES:
        raise ValueError(f"has an unknown ssl-mode; use one of {', '.join(TLS_MODES)}")
    return mode


@dataclass(frozen=True)
class Database:
    """The database: one URL, or its five parts. Neither means that there is none.

    `connections` is the size of a web function's pool. A built-in function handles one
    request at a time in one thread, and so holds one connection, whatever this says.
    """

    url: DatabaseTarget | None = env("DATABASE_URL", parse=database_url, default=None)
    host: str = env("DB_HOST", default="")
    port: int = env("DB_PORT", parse=whole(1, 65535), default=3306)
    user: str = env("DB_USER", default="")
    password: Secret = env("DB_PASSWORD", parse=Secret, default=Secret(""))
    name: str = env("DB_NAME", default="")
    connections: int = env("DATABASE_CONNECTIONS", parse=whole(1, 64), default=4)

    def unsafe(self) -> Iterator[str]:
        if self.url and self.url.scheme == "sqlite":
            yield "DATABASE_URL must be mysql:// in production: instances share no file"

    @property
    def target(self) -> DatabaseTarget | None:
        """Raises: Misconfigured: a host is set without the name of a database on it."""
        if self.url or not self.host:
            return self.url
        if not self.name:
            raise Misconfigured(problems=["DB_NAME is not set"])
        return DatabaseTarget("mysql", self.host, self.port, self.user, self.password, self.name)


def signing_secret(text: str) -> Secret:
    if len(text.encode()) < 32:
        raise ValueError("must be at least 32 bytes (openssl rand -hex 32)")
    if is_guessable(text, needed=16, different=8):
        raise ValueError("is a value anyone could guess (openssl rand -hex 32)")
    return Secret(text)


@dataclass(frozen=True)
class Tokens:
    """Tokens: the signing secret, and the lifetimes of access and refresh tokens."""

    secret: Secret = env("JWT_SECRET", "NEXTAUTH_SECRET", parse=signing_secret)
    access_seconds: int = env("JWT_EXPIRES_IN", parse=duration_seconds, default=1800)
    refresh_seconds: int = env("REFRESH_EXPIRES_IN", parse=duration_seconds, default=30 * 86400)


@dataclass(frozen=True)
class Sessions:
    """Sessions: their maximum age, renewals included."""

    longest_seconds: int = env("SESSION_EXPIRES_IN", parse=duration_seconds, default=180 * 86400)


@dataclass(frozen=True)
class Passwords:
    """Password hashing: the cost factor of bcrypt; each step doubles the time."""

    bcrypt_cost: int = env("BCRYPT_COST", parse=whole(4, 16), default=12)

    def unsafe(self) -> Iterator[str]:
        if self.bcrypt_cost < 10:
            yield "BCRYPT_COST must be at least 10 in production"


@dataclass(frozen=True)
class FirstAdmin:
    """The first administrator, created at their first login while there is none."""

    username: str = env("ADMIN_USERNAME", default="")
    password: Secret = env("ADMIN_PASSWORD", parse=Secret, default=Secret(""))

    def unsafe(self) -> Iterator[str]:
        password = self.password.reveal()
        if password and len(password) < 12:
            yield "ADMIN_PASSWORD must have 12 characters in production (openssl rand -hex 16)"
        elif password and is_guessable(password, needed=8, different=5):
            yield "ADMIN_PASSWORD must not be easy to guess in production (openssl rand -hex 16)"


def completions_url(text: str) -> str:
    """Accept a base URL or the full `/chat/completions` URL; return the full one."""
    url = http_url(text)
    return url if url.endswith("/chat/completions") else f"{url}/chat/completions"


@dataclass(frozen=True)
class Model:
    """The OpenAI-compatible upstream, and the time limits and the log of every upstream."""

    api_key: Secret = env(
        "OPENAI_API_KEY", "API_KEY", "DASHSCOPE_API_KEY", "ARK_API_KEY", parse=Secret
    )
    url: str = env(
        "OPENAI_API_URL",
        "API_BASE_URL",
        parse=completions_url,
        default="https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
    )
    connect_seconds: int = env("UPSTREAM_CONNECT_SECONDS", parse=whole(1, 60), default=5)
    first_byte_seconds: int = env("UPSTREAM_FIRST_BYTE_SECONDS", parse=whole(1, 600), default=30)
    idle_seconds: int = env("UPSTREAM_IDLE_SECONDS", parse=whole(1, 600), default=20)
    log_text: bool = env("LOG_UPSTREAM_TEXT", parse=boolean, default=False)


@dataclass(frozen=True)
class DefaultModel:
    """The model for requests that name none; `vision` says that it takes pictures."""

    name: str = env("OPENAI_MODEL", "MODEL_ID", default="qwen-plus")
    vision: bool = env("OPENAI_VISION", parse=boolean, default=False)


@dataclass(frozen=True)
class UpstreamEntry:
    """One upstream of UPSTREAMS. `model` is its name for the model, `serves` our name.

    `prompt_tokens` is its longest prompt; None means that of the deployment. `vision` says
    that it takes pictures.
    """

    name: str
    url: str
    key: Secret
    model: str = ""
    serves: str = ""
    weight: int = 1
    prompt_tokens: int | None = None
    vision: bool = False


def upstream_entries(text: str) -> tuple[UpstreamEntry, ...]:
    """A JSON list of objects: name, url, key, and optional fields, which the error names."""
    try:
        listed: list[Mapping[str, object]] = json.loads(text)
        if not isinstance(listed, list):
            raise TypeError
        return tuple(_upstream_entry(one) for one in listed)
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    ):  # the message must not quote the text: it holds keys
        problem = (
            "must be a JSON list of objects with name, url, key"
            " and maybe model, serves, weight, prompt_tokens, vision"
        )
        raise ValueError(problem) from None


def _upstream_entry(one: Mapping[str, object]) -> UpstreamEntry:
    weight = one.get("weight", 1)
    if not isinstance(weight, int) or not 1 <= weight <= 100:
        raise ValueError
    prompt_tokens = one.get("prompt_tokens")
    if prompt_tokens is not None and (type(prompt_tokens) is not int or prompt_tokens < 1):
        raise ValueError
    vision = one.get("vision", False)
    if not isinstance(vision, bool):
        raise TypeError
    return UpstreamEntry(
        name=str(one["name"])[:64],
        url=completions_url(str(one["url"])),
        key=Secret(str(one["key"])),
        model=str(one.get("model", "")),
        serves=str(one.get("serves", "")),
        weight=weight,
        prompt_tokens=prompt_tokens,
        vision=vision,
    )


@dataclass(frozen=True)
class Upstreams:
    """A list of upstreams, which replaces the one of Model."""

    upstreams: tuple[UpstreamEntry, ...] = env("UPSTREAMS", parse=upstream_entries, default=())


def sealing_secrets(text: str) -> tuple[Secret, ...]:
    return tuple(signing_secret(one.strip()) for one in text.split(","))


@dataclass(frozen=True)
class UpstreamKeys:
    """Secrets that encrypt stored upstreams' keys: the first encrypts, all of them decrypt."""

    secrets: tuple[Secret, ...] = env("UPSTREAM_KEYS_SECRET", parse=sealing_secrets)


@dataclass(frozen=True)
class Quota:
    """Quotas: free messages a day, and the price of others where no price is stored."""

    daily_free_messages: int = env("DAILY_FREE_MESSAGES", parse=whole(), default=20)
    guest_daily_messages: int = env("GUEST_DAILY_MESSAGES", parse=whole(), default=0, local=20)
    enable_credit_system: bool = env("ENABLE_CREDIT_SYSTEM", parse=boolean, default=True)
    message_price_fen: int = env("MESSAGE_PRICE_FEN", parse=whole(1, 1_000_000), default=100)


@dataclass(frozen=True)
class Chat:
    """Chat: limits of one message, of one user, and of one instance."""

    max_streams_per_user: int = env("MAX_STREAMS_PER_USER", parse=whole(1, 100), default=3)
    max_tokens: int = env("MAX_TOKENS", parse=whole(1, 1_000_000), default=2048)
    context_tokens: int = env("CONTEXT_TOKENS", parse=whole(0, 1_000_000), default=8000)
    prompt_tokens: int = env("PROMPT_TOKENS", parse=whole(1, 10_000_000), default=64_000)
    on_disconnect: str = env("ON_DISCONNECT", parse=one_of("finish", "cancel"), default="finish")
    max_unwatched: int = env("MAX_UNWATCHED_ANSWERS", parse=whole(0, 1000), default=20)
    stream_head_seconds: int = env("STREAM_HEAD_SECONDS", parse=whole(0, 600), default=15)


@dataclass(frozen=True)
class Unmetered:
    """Chat without a database: whether it is allowed, and its limits in each instance's memory.

    Loaded only where there is no database. `address` counts the messages of one address.
    """

    is_allowed: bool = env("ALLOW_UNMETERED_CHAT", parse=boolean, default=False, local=True)
    address: Rate | None = env("UNMETERED_LIMIT", parse=rate, default=Rate(20, 3600))
    total: Rate | None = env("UNMETERED_TOTAL", parse=rate, default=Rate(500, 86400))

    def unsafe(self) -> Iterator[str]:
        if self.is_allowed and self.total is None:
            yield "UNMETERED_TOTAL must not be 0 in production: a bot could spend without a limit"


@dataclass(frozen=True)
class Invites:
    """Invite codes: whether registration requires one, and the inviter's reward."""

    required: bool = env("ENABLE_INVITE_CODES", parse=boolean, default=False)
    reward_fen: int = env("INVITE_REWARD_FEN", parse=whole(0, 1_000_000), default=0)


@dataclass(frozen=True)
class Limits:
    """Rate limits; None means no limit.

    `login` counts failed logins at one account from one address, `login_address` those
    from one address at any account. `login` is also the limit for how often a signed-in
    user may enter the password to change or delete the account; that is counted apart.
    `unpaid` counts messages that reached an upstream and were free because nothing came.
    """

    anonymous: Rate | None = env("ANONYMOUS_LIMIT", parse=rate, default=Rate(100, 900))
    register: Rate | None = env("REGISTER_LIMIT", parse=rate, default=Rate(5, 60))
    register_daily: Rate | None = env("REGISTER_DAILY_LIMIT", parse=rate, default=Rate(20, 86400))
    login: Rate | None = env("LOGIN_LIMIT", parse=rate, default=Rate(10, 900))
    login_address: Rate | None = env("LOGIN_ADDRESS_LIMIT", parse=rate, default=Rate(100, 900))
    refresh: Rate | None = env("REFRESH_LIMIT", parse=rate, default=Rate(30, 900))
    chat: Rate | None = env("CHAT_LIMIT", parse=rate, default=Rate(30, 60))
    location: Rate | None = env("LOCATION_LIMIT", parse=rate, default=Rate(5, 60))
    unpaid: Rate | None = env("UNPAID_LIMIT", parse=rate, default=Rate(30, 86400))
    upload: Rate | None = env("UPLOAD_LIMIT", parse=rate, default=Rate(60, 60))


@dataclass(frozen=True)
class Uploads:
    """Files of users: size, types, and how many files and bytes of one user a day.

    `allowed_types` are content types; none means all that the product knows.
    """

    max_bytes: int = env("MAX_FILE_SIZE", parse=whole(1, 104_857_600), default=10_485_760)
    allowed_types: tuple[str, ...] = env("ALLOWED_FILE_TYPES", parse=names_list, default=())
    daily_files: int = env("UPLOADS_PER_DAY", parse=whole(), default=100)
    daily_bytes: int = env(
        "UPLOAD_BYTES_PER_DAY", parse=whole(0, 9_999_999_999), default=209_715_200
    )


@dataclass(frozen=True)
class Location:
    """Locations: the decimals of degrees that are stored; 3 are about 100 metres."""

    decimals: int = env("LOCATION_DECIMALS", parse=whole(0, 6), default=3)


@dataclass(frozen=True)
class Export:
    """Exports: the size of an inline delivery. FC refuses responses over 32 MB."""

    inline_bytes: int = env(
        "EXPORT_INLINE_BYTES", parse=whole(1024, 30_000_000), default=20_000_000
    )


def storage_endpoint(text: str) -> str:
    """An endpoint URL; Alibaba Cloud's documentation writes them without a scheme."""
    return http_url(text if "://" in text else f"https://{text}")


def storage_region(text: str) -> str:
    return text.removeprefix("oss-")


def days_kept(fewest: int) -> Callable[[str], int]:
    """A number of days, at least `fewest`; 0 means for ever."""

    def parse(text: str) -> int:
        days = whole(0, 36_500)(text)
        if 0 < days < fewest:
            raise ValueError(f"must be 0 (for ever) or at least {fewest} days")
        return days

    return parse


@dataclass(frozen=True)
class Retention:
    """Days that rows are kept, worked off by maintenance; 0 means for ever.

    Money (ledger, wallets, orders, prices) and the audit log have no setting: they are
    kept for ever. What is promised for a day (answers to watch or repeat) has none either.
    """

    conversations_days: int = env("KEEP_CONVERSATIONS_DAYS", parse=days_kept(7), default=0)
    turns_days: int = env("KEEP_TURNS_DAYS", parse=days_kept(7), default=180)
    sessions_days: int = env("KEEP_SESSIONS_DAYS", parse=days_kept(1), default=1)
    counts_days: int = env("KEEP_COUNTS_DAYS", parse=days_kept(2), default=7)
    finished_days: int = env("KEEP_FINISHED_DAYS", parse=days_kept(1), default=90)
    locations_days: int = env("LOCATION_KEEP_DAYS", parse=days_kept(1), default=30)


@dataclass(frozen=True)
class Storage:
    """The OSS bucket for files, or a local folder in its place on one machine."""

    region: str = env("OSS_REGION", parse=storage_region, default="cn-hangzhou")
    bucket: str = env("OSS_BUCKET", "OSS_BUCKET_NAME", default="")
    endpoint: str = env("OSS_ENDPOINT", parse=storage_endpoint, default="")
    public_endpoint: str = env("OSS_PUBLIC_ENDPOINT", parse=storage_endpoint, default="")
    access_key_id: str = env("OSS_ACCESS_KEY_ID", default="")
    access_key_secret: Secret = env("OSS_ACCESS_KEY_SECRET", parse=Secret, default=Secret(""))
    folder: str = env("STORAGE_FOLDER", default="")
    folder_url: str = env("STORAGE_FOLDER_URL", parse=http_url, default="http://127.0.0.1:8000")

    def unsafe(self) -> Iterator[str]:
        if self.folder:
            yield "STORAGE_FOLDER must not be set in production: instances share no folder"

    @property
    def is_there(self) -> bool:
        return bool(self.bucket or self.folder)

    @property
    def internal_url(self) -> str:
        """The endpoint for our own requests: free of charge, not reachable from the Internet."""
        return self.endpoint or f"https://oss-{self.region}-internal.aliyuncs.com"

    @property
    def public_url(self) -> str:
        """The endpoint in download links."""
        return self.public_endpoint or f"https://oss-{self.region}.aliyuncs.com"


@dataclass(frozen=True)
class Pictures:
    """Pictures for models: `link` to the bucket, or `data`. From a folder they are always data."""

    delivery: str = env("PICTURE_DELIVERY", parse=one_of("link", "data"), default="link")


@dataclass(frozen=True)
class Workers:
    """The base URL of this deployment, at which one function starts another."""

    base_url: str = env("EXPORT_WORKER_URL", "APP_BASE_URL", "NEXTAUTH_URL", parse=http_url)
