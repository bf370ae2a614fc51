"""Every expected failure: an HTTP status, a stable name, and a message fit for strangers.

AppError
|- BadRequest 400            MalformedJson, MalformedRequest
|- Unauthorized 401          WrongCredentials, InvalidToken, TokenExpired,
|                           InvalidRefreshToken, RefreshTokenReused
|- InsufficientBalance 402
|- Forbidden 403            WrongPassword, RecentSignInRequired
|- NotFound 404             ModelNotFound
|- MethodNotAllowed 405
|- RequestTimeout 408
|- Conflict 409              EmailTaken, UsernameTaken, InProgress, LastAdministrator,
|                            BalanceTooLow, NameTaken, ChangedMeanwhile
|- PayloadTooLarge 413       ExportTooLarge, SheetFull, CopyTooLarge
|- InvalidRequest 422        IdempotencyMismatch, InviteCodeRequired, InviteCodeInvalid
|- TooManyRequests 429       DailyLimitReached, TooManyStreams
|- UpstreamFailed 502        UpstreamBusy 503, UpstreamTimeout 504
|- Unavailable 503           DatabaseUnavailable, DatabaseNotConfigured, Misconfigured,
|                            StorageUnavailable, WorkerUnreachable
`- Unexpected 500            what a stranger sees of a defect
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class AppError(Exception):
    """A failure the client is told about.

    Keyword arguments that are not named here are private context: they go to
    the log, never to the client.
    """

    status: ClassVar[int] = 500
    name: ClassVar[str] = "internal_error"
    en: ClassVar[str] = "Something went wrong."
    zh: ClassVar[str] = "服务出现问题。"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        *,
        details: Sequence[Mapping[str, str]] = (),
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> None:
        super().__init__(self.name)
        self.details = details
        self.headers = dict(headers or {})
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(retry_after_seconds)
        self.context = context

    def message(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


class Unexpected(AppError):
    """Stands in for an exception nobody foresaw; the log has the traceback."""


class BadRequest(AppError):
    status = 400
    name = "bad_request"
    en = "The request cannot be understood."
    zh = "无法理解该请求。"


class MalformedJson(BadRequest):
    name = "malformed_json"
    en = "The body is not valid JSON."
    zh = "请求体不是合法的 JSON。"


class MalformedRequest(BadRequest):
    """The event, its encoding or its headers do not follow the protocol."""

    name = "malformed_request"


class Unauthorized(AppError):
    status = 401
    name = "unauthorized"
    en = "Sign in first."
    zh = "请先登录。"

    def __init__(self, **context: Any) -> None:
        super().__init__(**context)
        self.headers["WWW-Authenticate"] = "Bearer"


class WrongCredentials(Unauthorized):
    """One answer for an unknown user, a wrong password and a disabled account."""

    name = "wrong_credentials"
    en = "The email or password is wrong."
    zh = "邮箱或密码错误。"


class InvalidToken(Unauthorized):
    name = "invalid_token"
    en = "The access token is not valid. Sign in again."
    zh = "登录凭证无效，请重新登录。"


class TokenExpired(Unauthorized):
    name = "token_expired"
    en = "The access token has expired. Refresh it or sign in again."
    zh = "登录已过期，请刷新凭证或重新登录。"


class InvalidRefreshToken(Unauthorized):
    """It is none of ours or has expired, its session has ended, or the account is disabled."""

    name = "invalid_refresh_token"
    en = "The session cannot be renewed. Sign in again."
    zh = "会话无法续期，请重新登录。"


class RefreshTokenReused(Unauthorized):
    """It was used long before, so somebody may have stolen it: the session has ended."""

    name = "refresh_token_reused"
    en = "This session was renewed elsewhere and has ended for safety. Sign in again."
    zh = "该会话已在别处续期，为安全起见已结束，请重新登录。"


class InsufficientBalance(AppError):
    status = 402
    name = "insufficient_balance"
    en = "Today's free messages are used up and the balance does not cover another."
    zh = "今日免费次数已用完，余额不足。"


class Forbidden(AppError):
    status = 403
    name = "forbidden"
    en = "You are not allowed to do this."
    zh = "没有权限执行此操作。"


class WrongPassword(Forbidden):
    """Not 401: the session is good, and no client should renew it and try again."""

    name = "wrong_password"
    en = "The current password is wrong."
    zh = "当前密码错误。"


class RecentSignInRequired(Forbidden):
    """The account has no password to ask for."""

    name = "recent_sign_in_required"
    en = "Sign in again, then repeat this within 10 minutes."
    zh = "请重新登录，并在 10 分钟内重试。"


class NotFound(AppError):
    status = 404
    name = "not_found"
    en = "There is nothing here."
    zh = "未找到相应内容。"


class ModelNotFound(NotFound):
    """Only in OpenAI's shape; our own clients are told that the field is not valid."""

    name = "model_not_found"
    en = "There is no such model."
    zh = "没有这个模型。"


class MethodNotAllowed(AppError):
    """The path exists; the `Allow` header says for which methods."""

    status = 405
    name = "method_not_allowed"
    en = "This path does not support the method."
    zh = "该路径不支持此请求方法。"


class RequestTimeout(AppError):
    """The body did not arrive in time."""

    status = 408
    name = "request_timeout"
    en = "The request did not arrive in time."
    zh = "请求未能及时到达。"
    retryable = True


class Conflict(AppError):
    status = 409
    name = "conflict"
    en = "This conflicts with what is already there."
    zh = "与已有内容冲突。"


class EmailTaken(Conflict):
    name = "email_taken"
    en = "This email is already registered."
    zh = "该邮箱已被注册。"


class UsernameTaken(Conflict):
    name = "username_taken"
    en = "This username is already taken."
    zh = "该用户名已被使用。"


class InProgress(Conflict):
    """A twin of this request, with the same idempotency key, has not ended yet."""

    name = "in_progress"
    en = "The same request is still being worked on."
    zh = "相同的请求仍在处理中。"
    retryable = True


class LastAdministrator(Conflict):
    """Nobody would be left who could undo it."""

    name = "last_administrator"
    en = "This is the last active administrator."
    zh = "这是最后一位有效的管理员。"


class BalanceTooLow(Conflict):
    """What somebody else wants to take is not there, or reserved for answers being given."""

    name = "balance_too_low"
    en = "The balance, without what is reserved, is lower than the amount."
    zh = "扣除预留部分后，余额不足以扣减该金额。"


class NameTaken(Conflict):
    name = "name_taken"
    en = "There is one of this name already."
    zh = "该名称已存在。"


class ChangedMeanwhile(Conflict):
    """What was to be changed is no longer what it was when it was looked at."""

    name = "changed_meanwhile"
    en = "Somebody else has just changed this. Look at it again."
    zh = "其他人刚刚修改了它，请重新查看。"


class PayloadTooLarge(AppError):
    status = 413
    name = "payload_too_large"
    en = "The request is too large."
    zh = "请求内容过大。"


class ExportTooLarge(PayloadTooLarge):
    """The answer, not the request, is over the limit of an inline delivery."""

    name = "export_too_large"
    en = "The export is larger than one answer can carry. Narrow it with from and to."
    zh = "导出内容超过单次响应上限，请用 from 和 to 缩小范围。"


class SheetFull(ExportTooLarge):
    """No way of delivery helps: the format itself ends here."""


class CopyTooLarge(ExportTooLarge):
    """Of one's own data; a zip archive is a fraction of the size."""

    name = "copy_too_large"
    en = "The copy is larger than one answer can carry. Ask for format=zip, or for help."
    zh = "数据副本超过单次响应上限，请改用 format=zip，或联系管理员。"


class InvalidRequest(AppError):
    """`details` lists each field with its problem."""

    status = 422
    name = "invalid_request"
    en = "Some fields are not valid."
    zh = "部分字段不合法。"


class IdempotencyMismatch(InvalidRequest):
    name = "idempotency_mismatch"
    en = "This idempotency key was used for another request."
    zh = "该幂等键已用于另一个请求。"


class InviteCodeRequired(InvalidRequest):
    name = "invite_code_required"
    en = "Opening an account needs an invite code."
    zh = "注册需要邀请码。"


class InviteCodeInvalid(InvalidRequest):
    """One answer for a code that is unknown, used up, expired or deactivated."""

    name = "invite_code_invalid"
    en = "This invite code is not valid, or not any more."
    zh = "邀请码无效或已失效。"


class TooManyRequests(AppError):
    status = 429
    name = "rate_limited"
    en = "Too many requests. Try again later."
    zh = "请求过于频繁，请稍后再试。"
    retryable = True


class DailyLimitReached(TooManyRequests):
    name = "daily_limit_reached"
    en = "The free messages of today are used up."
    zh = "今日免费次数已用完。"
    retryable = False


class TooManyStreams(TooManyRequests):
    name = "too_many_streams"
    en = "Too many answers are being given to you at once. Wait for one to finish."
    zh = "同时进行的回答过多，请等待其中一个结束。"


class UpstreamFailed(AppError):
    """The model answered with an error, or with something that is no answer."""

    status = 502
    name = "upstream_error"
    en = "The model could not answer."
    zh = "模型暂时无法回答。"
    retryable = True


class UpstreamBusy(UpstreamFailed):
    """The model upstream limits us or is overloaded (429, 503)."""

    status = 503
    name = "upstream_busy"
    en = "The model is busy. Try again in a moment."
    zh = "模型繁忙，请稍后重试。"


class UpstreamTimeout(UpstreamFailed):
    status = 504
    name = "upstream_timeout"
    en = "The model did not answer in time."
    zh = "模型响应超时。"


class Unavailable(AppError):
    status = 503
    name = "unavailable"
    en = "The service is not available at the moment."
    zh = "服务暂时不可用。"
    retryable = True


class DatabaseUnavailable(Unavailable):
    name = "database_unavailable"

    def __init__(self, **context: Any) -> None:
        super().__init__(**context)
        self.headers["Retry-After"] = "3"


class DatabaseNotConfigured(Unavailable):
    """This deployment has no database, and the endpoint cannot work without one."""

    name = "database_not_configured"
    en = "This deployment has no database."
    zh = "此部署未配置数据库。"
    retryable = False


class StorageUnavailable(Unavailable):
    """The bucket does not answer, or not as it should; the context says how."""

    name = "storage_unavailable"
    en = "The file storage is not available. Try again later."
    zh = "文件存储暂不可用，请稍后再试。"


class WorkerUnreachable(Unavailable):
    """A function of ours that works in the background could not be started."""

    name = "worker_unreachable"
    en = "The work could not be started. Try again later."
    zh = "后台任务未能启动，请稍后再试。"


class Misconfigured(Unavailable):
    """A setting is missing or unsafe; the log names the variable."""

    name = "misconfigured"
    en = "The service is not configured completely."
    zh = "服务配置不完整。"
    retryable = False
