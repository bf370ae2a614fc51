"""Error classes of all expected failures: HTTP status, stable name and public message.

AppError
|- BadRequest 400            MalformedJson, MalformedRequest, UnsupportedParameter
|- Unauthorized 401          WrongCredentials, InvalidToken, TokenExpired,
|                           InvalidRefreshToken, RefreshTokenReused
|- InsufficientBalance 402
|- Forbidden 403            WrongPassword, RecentSignInRequired, AccountDisabled
|- NotFound 404             ModelNotFound, UnknownUrl
|- MethodNotAllowed 405
|- RequestTimeout 408
|- Conflict 409              EmailTaken, UsernameTaken, InProgress, LastAdministrator,
|                            BalanceTooLow, NameTaken, ChangedMeanwhile, NotUploaded, UploadExpired
|- PayloadTooLarge 413       PromptTooLong, ExportTooLarge, SheetFull, CopyTooLarge, FileTooLarge
|                            BalanceTooLow, NameTaken, ChangedMeanwhile, ListFull
|- PayloadTooLarge 413       PromptTooLong, ExportTooLarge, SheetFull, CopyTooLarge
|- UnsupportedMediaType 415
|- InvalidRequest 422        IdempotencyMismatch, InviteCodeRequired, InviteCodeInvalid,
|                            MediaTypeNotAllowed, MediaInvalid, DocumentHasNoText,
|                            ConsentRequired, ModelCannotSee, DocumentUnreadable
|- TooManyRequests 429       DailyLimitReached, TooManyStreams, UploadLimitReached
|- UpstreamFailed 502        UpstreamBusy 503, UpstreamTimeout 504, AnswerInterrupted,
|                            UpstreamMisconfigured 503, RecognitionFailed,
|                            UpstreamRejected 400 (ContextLengthExceeded, ContentFiltered)
|- Unavailable 503           DatabaseUnavailable (DatabaseContention, OutcomeUnknown,
|                            DatabaseNotMigrated),
|                            AnswerPending, DatabaseNotConfigured, Misconfigured,
|                            StorageUnavailable, WorkerUnreachable
`- Unexpected 500            the response to any other exception
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

_RETRY_SECONDS = 3

# Depends on the password alone, so it does not tell which accounts exist or were imported.
_IMPORTED_EN = (
    "An account from another system cannot use a password of more than 72 bytes, or with a NUL:"
    " ask an administrator for a new password."
)
_IMPORTED_ZH = "从其他系统导入的账号不能使用超过 72 字节或含 NUL 的密码，请联系管理员重置密码。"


class AppError(Exception):
    """An expected failure, which becomes an error response.

    Other keyword arguments than those named here are private context: they are
    written to the log and never sent to the client. `fields` are sent with the error.
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
        self.fields: Mapping[str, object] = {}

    def message(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


class Unexpected(AppError):
    """An unexpected exception occurred; the log has its traceback."""


class BadRequest(AppError):
    """The request is not well-formed."""

    status = 400
    name = "bad_request"
    en = "The request cannot be understood."
    zh = "无法理解该请求。"


class MalformedJson(BadRequest):
    """The body is not valid JSON."""

    name = "malformed_json"
    en = "The body is not valid JSON."
    zh = "请求体不是合法的 JSON。"


class MalformedRequest(BadRequest):
    """The event, its encoding or its headers violate the protocol."""

    name = "malformed_request"


class UnsupportedParameter(BadRequest):
    """A parameter of the request is unknown, or is not supported here or by the model."""

    name = "unsupported_parameter"
    en = "A parameter is not supported."
    zh = "不支持该参数。"


class Unauthorized(AppError):
    """The request has no valid credentials."""

    status = 401
    name = "unauthorized"
    en = "Sign in first."
    zh = "请先登录。"

    def __init__(self, **context: Any) -> None:
        super().__init__(**context)
        self.headers["WWW-Authenticate"] = "Bearer"


class WrongCredentials(Unauthorized):
    """The user is unknown, the password wrong, or the account changed during the login."""

    name = "wrong_credentials"
    en = "The email or password is wrong."
    zh = "邮箱或密码错误。"


class WrongUnfitCredentials(WrongCredentials):
    """As above, with a password that an imported hash cannot check, whether there is one or not."""

    en = f"{WrongCredentials.en} {_IMPORTED_EN}"
    zh = f"{WrongCredentials.zh}{_IMPORTED_ZH}"


class InvalidToken(Unauthorized):
    """The access token is malformed, forged or revoked, or its account is disabled."""

    name = "invalid_token"
    en = "The access token is not valid. Sign in again."
    zh = "登录凭证无效，请重新登录。"


class TokenExpired(Unauthorized):
    """The access token has expired."""

    name = "token_expired"
    en = "The access token has expired. Refresh it or sign in again."
    zh = "登录已过期，请刷新凭证或重新登录。"


class InvalidRefreshToken(Unauthorized):
    """The refresh token is unknown or expired, its session ended, or the account disabled."""

    name = "invalid_refresh_token"
    en = "The session cannot be renewed. Sign in again."
    zh = "会话无法续期，请重新登录。"


class RefreshTokenReused(Unauthorized):
    """The refresh token was used long before and may be stolen, so its session was ended."""

    name = "refresh_token_reused"
    en = "This session was renewed elsewhere and has ended for safety. Sign in again."
    zh = "该会话已在别处续期，为安全起见已结束，请重新登录。"


class InsufficientBalance(AppError):
    """The free messages are used up and the balance does not cover the message."""

    status = 402
    name = "insufficient_balance"
    en = "Today's free messages are used up and the balance does not cover another."
    zh = "今日免费次数已用完，余额不足。"


class Forbidden(AppError):
    """The account lacks the role for this request."""

    status = 403
    name = "forbidden"
    en = "You are not allowed to do this."
    zh = "没有权限执行此操作。"


class WrongPassword(Forbidden):
    """The current password is wrong; not 401, because clients renew sessions after a 401."""

    name = "wrong_password"
    en = "The current password is wrong."
    zh = "当前密码错误。"


class WrongUnfitPassword(WrongPassword):
    """As above, with a password that an imported hash cannot check, whether there is one or not."""

    en = f"{WrongPassword.en} {_IMPORTED_EN}"
    zh = f"{WrongPassword.zh}{_IMPORTED_ZH}"


class RecentSignInRequired(Forbidden):
    """The account has no password to confirm with, and its session is not recent."""

    name = "recent_sign_in_required"
    en = "Sign in again, then repeat this within 10 minutes."
    zh = "请重新登录，并在 10 分钟内重试。"


class AccountDisabled(Forbidden):
    """The password is right, but an administrator has disabled the account."""

    name = "account_disabled"
    en = "This account has been disabled. Ask the operator."
    zh = "该账号已被停用，请联系管理员。"


class NotFound(AppError):
    """The path or the resource does not exist, or belongs to another user."""

    status = 404
    name = "not_found"
    en = "There is nothing here."
    zh = "未找到相应内容。"


class ModelNotFound(NotFound):
    """The requested model does not exist; only in OpenAI's format, elsewhere it is a 422."""

    name = "model_not_found"
    en = "There is no such model."
    zh = "没有这个模型。"


class UnknownUrl(NotFound):
    """The path does not exist in OpenAI's API as it is served here; only in OpenAI's format."""

    name = "unknown_url"
    en = (
        "There is no such path. This API has POST /v1/chat/completions, GET /v1/models and"
        " GET /v1/models/{model}."
    )
    zh = (
        "没有这个路径。可用的有 POST /v1/chat/completions、GET /v1/models 和"
        " GET /v1/models/{model}。"
    )


class MethodNotAllowed(AppError):
    """The path does not support the method; the `Allow` header lists those it supports."""

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
    """The request conflicts with the stored state."""

    status = 409
    name = "conflict"
    en = "This conflicts with what is already there."
    zh = "与已有内容冲突。"


class EmailTaken(Conflict):
    """Another account has this email."""

    name = "email_taken"
    en = "This email is already registered."
    zh = "该邮箱已被注册。"


class UsernameTaken(Conflict):
    """Another account has this username."""

    name = "username_taken"
    en = "This username is already taken."
    zh = "该用户名已被使用。"


class InProgress(Conflict):
    """A request with the same key, or the first answer of the conversation, is still running."""

    name = "in_progress"
    en = "This is still being worked on. Try again in a moment."
    zh = "仍在处理中，请稍后重试。"
    retryable = True

    def __init__(self, message_id: str = "", **context: Any) -> None:
        super().__init__(retry_after_seconds=_RETRY_SECONDS, **context)
        self.fields = {"message_id": message_id} if message_id else {}


class LastAdministrator(Conflict):
    """The request would leave no active administrator."""

    name = "last_administrator"
    en = "This is the last active administrator."
    zh = "这是最后一位有效的管理员。"


class BalanceTooLow(Conflict):
    """The balance, without the reserved part, is lower than the amount to deduct."""

    name = "balance_too_low"
    en = "The balance, without what is reserved, is lower than the amount."
    zh = "扣除预留部分后，余额不足以扣减该金额。"


class NameTaken(Conflict):
    """A resource with this name exists."""

    name = "name_taken"
    en = "There is one of this name already."
    zh = "该名称已存在。"


class ChangedMeanwhile(Conflict):
    """The resource was changed after it was read."""

    name = "changed_meanwhile"
    en = "Somebody else has just changed this. Look at it again."
    zh = "其他人刚刚修改了它，请重新查看。"


class NotUploaded(Conflict):
    """The object of the upload is not in the storage, or not yet."""

    name = "not_uploaded"
    en = "The file has not been uploaded. Upload it, then commit again."
    zh = "文件尚未上传，请上传后再提交。"
    retryable = True


class UploadExpired(Conflict):
    """The time to upload and commit the file is over."""

    name = "upload_expired"
    en = "This upload has expired. Start a new one."
    zh = "本次上传已过期，请重新发起上传。"


class ListFull(Conflict):
    """The list has as many items as one user may have."""

    name = "list_full"
    en = "The list is full. Delete something first."
    zh = "列表已满，请先删除一些内容。"


class PayloadTooLarge(AppError):
    """The body exceeds the limit of the endpoint."""

    status = 413
    name = "payload_too_large"
    en = "The request is too large."
    zh = "请求内容过大。"


class PromptTooLong(PayloadTooLarge):
    """The prompt has more tokens than the model may be sent; `details` has both numbers."""

    name = "prompt_too_long"
    en = "The messages are too long for this model."
    zh = "消息内容超过该模型允许的长度。"


class ExportTooLarge(PayloadTooLarge):
    """The export, which is a response, exceeds the limit of an inline delivery."""

    name = "export_too_large"
    en = "The export is larger than one answer can carry. Narrow it with from and to."
    zh = "导出内容超过单次响应上限，请用 from 和 to 缩小范围。"


class SheetFull(ExportTooLarge):
    """The export has more rows than the file format permits, by any delivery."""


class CopyTooLarge(ExportTooLarge):
    """The copy of a user's own data exceeds the limit; as a zip archive it is much smaller."""

    name = "copy_too_large"
    en = "The copy is larger than one answer can carry. Ask for format=zip, or for help."
    zh = "数据副本超过单次响应上限，请改用 format=zip，或联系管理员。"


class FileTooLarge(PayloadTooLarge):
    """The file is larger than MAX_FILE_SIZE; `max_size` says how large it may be, in bytes."""

    name = "file_too_large"
    en = "The file is too large."
    zh = "文件过大。"

    def __init__(self, max_size: int = 0, **context: Any) -> None:
        super().__init__(**context)
        self.fields = {"max_size": max_size}


class UnsupportedMediaType(AppError):
    """The body is of another type than JSON."""

    status = 415
    name = "unsupported_media_type"
    en = "The body must be JSON: send Content-Type: application/json."
    zh = "请求体必须是 JSON，请设置 Content-Type: application/json。"


class InvalidRequest(AppError):
    """Some fields are not valid; `details` lists each with its problem."""

    status = 422
    name = "invalid_request"
    en = "Some fields are not valid."
    zh = "部分字段不合法。"


class IdempotencyMismatch(InvalidRequest):
    """The idempotency key was used before with another request."""

    name = "idempotency_mismatch"
    en = "This idempotency key was used for another request."
    zh = "该幂等键已用于另一个请求。"


class InviteCodeRequired(InvalidRequest):
    """Registration requires an invite code, and the request has none."""

    name = "invite_code_required"
    en = "Opening an account needs an invite code."
    zh = "注册需要邀请码。"


class InviteCodeInvalid(InvalidRequest):
    """The invite code is unknown, used up, expired or deactivated."""

    name = "invite_code_invalid"
    en = "This invite code is not valid, or not any more."
    zh = "邀请码无效或已失效。"


class MediaTypeNotAllowed(InvalidRequest):
    """Files of this content type may not be uploaded; `details` lists those that may."""

    name = "media_type_not_allowed"
    en = "Files of this type cannot be uploaded."
    zh = "不支持上传该类型的文件。"


class MediaInvalid(InvalidRequest):
    """The uploaded object is not what was declared; `reason` says in what. It is deleted."""

    name = "media_invalid"
    en = "The uploaded file is not what was declared, and has been deleted."
    zh = "上传的文件与声明不符，已被删除。"

    def __init__(self, reason: str = "", **context: Any) -> None:
        super().__init__(**context)
        self.fields = {"reason": reason}


class DocumentHasNoText(InvalidRequest):
    """The document has no text, such as a PDF of scanned pages. It is deleted."""

    name = "document_has_no_text"
    en = "The document has no text that can be read, such as a scan. Upload pictures instead."
    zh = "文档中没有可读取的文字（例如扫描件），请改为上传图片。"


class ConsentRequired(InvalidRequest):
    """The request stores something personal and does not have the user's explicit consent."""

    name = "consent_required"
    en = "This needs the user's consent: send consent: true after asking for it."
    zh = "需要用户明确同意：请在征得同意后发送 consent: true。"


class ModelCannotSee(InvalidRequest):
    """The question has a picture, and no upstream of the model takes pictures."""

    name = "model_cannot_see"
    en = "This model takes no pictures. Choose one that does."
    zh = "该模型不支持图片，请选择支持图片的模型。"


class DocumentUnreadable(MediaInvalid):
    """The document is broken or needs a password (`unreadable`), or is `too_complex` to read."""


class TooManyRequests(AppError):
    """The client exceeded a rate limit; `Retry-After` says when to try again."""

    status = 429
    name = "rate_limited"
    en = "Too many requests. Try again later."
    zh = "请求过于频繁，请稍后再试。"
    retryable = True


class DailyLimitReached(TooManyRequests):
    """The free messages of the day are used up, and there are no paid ones."""

    name = "daily_limit_reached"
    en = "The free messages of today are used up."
    zh = "今日免费次数已用完。"
    retryable = False


class TooManyStreams(TooManyRequests):
    """The user already has the maximum number of running answers."""

    name = "too_many_streams"
    en = "Too many answers are being given to you at once. Wait for one to finish."
    zh = "同时进行的回答过多，请等待其中一个结束。"


class UploadLimitReached(TooManyRequests):
    """The user's files or bytes of the day are used up; `Retry-After` ends at midnight."""

    name = "upload_limit_reached"
    en = "The limit of uploads for today is reached."
    zh = "今日上传额度已用完。"
    retryable = False


class UpstreamFailed(AppError):
    """The upstream answered with an error, or not with a complete answer."""

    status = 502
    name = "upstream_error"
    en = "The model could not answer."
    zh = "模型暂时无法回答。"
    retryable = True


class UpstreamBusy(UpstreamFailed):
    """The upstream is overloaded, or refused because of its rate limit (429, 503)."""

    status = 503
    name = "upstream_busy"
    en = "The model is busy. Try again in a moment."
    zh = "模型繁忙，请稍后重试。"


class UpstreamTimeout(UpstreamFailed):
    """The upstream exceeded a time limit."""

    status = 504
    name = "upstream_timeout"
    en = "The model did not answer in time."
    zh = "模型响应超时。"


class AnswerInterrupted(UpstreamFailed):
    """The answer was cut off before its end; only in OpenAI's format."""

    name = "answer_interrupted"
    en = "The answer was cut off before its end."
    zh = "回答在完成前被中断。"


class RecognitionFailed(UpstreamFailed):
    """The model's replies to pictures of a medicine were not valid, twice; they cost nothing."""

    name = "recognition_failed"
    en = "The medicine could not be recognised. Try again, or with other pictures."
    zh = "未能识别药品，请重试或更换图片。"


class UpstreamRejected(UpstreamFailed):
    """The upstream refuses this request for good: repeating it is in vain."""

    status = 400
    name = "upstream_rejected"
    en = "The model does not accept this request. Change its parameters or its messages."
    zh = "模型不接受该请求，请修改参数或消息内容。"
    retryable = False


class ContextLengthExceeded(UpstreamRejected):
    """The upstream refused the messages as too long for its model."""

    name = "context_length_exceeded"
    en = "The messages are too long for this model."
    zh = "消息内容超过该模型允许的长度。"


class ContentFiltered(UpstreamRejected):
    """The upstream's content filter stopped the question or the answer."""

    name = "content_filtered"
    en = "The content filter of the model stopped this message or its answer."
    zh = "消息或回答未通过模型的内容审核。"


class UpstreamMisconfigured(UpstreamFailed):
    """The upstream refuses this deployment: its key, its balance, its permissions or the model."""

    status = 503
    name = "upstream_misconfigured"
    en = "The model is not available: the service must be set up again by its operator."
    zh = "模型不可用，需由服务方检查配置。"
    retryable = False


class Unavailable(AppError):
    """A part of the service is not available."""

    status = 503
    name = "unavailable"
    en = "The service is not available at the moment."
    zh = "服务暂时不可用。"
    retryable = True


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or did not answer in time."""

    name = "database_unavailable"

    def __init__(self, **context: Any) -> None:
        super().__init__(retry_after_seconds=_RETRY_SECONDS, **context)


class DatabaseContention(DatabaseUnavailable):
    """Other connections held the rows for too long; clients need not know the difference."""


class OutcomeUnknown(DatabaseUnavailable):
    """The reply to COMMIT did not come: it is not known whether the transaction took effect."""


class DatabaseNotMigrated(DatabaseUnavailable):
    """The schema of the database is older than the one that this version needs, or missing."""

    name = "database_not_migrated"
    en = "The database is not up to date. Its operator must migrate it."
    zh = "数据库结构未更新，请运维人员执行迁移。"


class AnswerPending(Unavailable):
    """The answer has ended, but its charge is not booked yet: the database is away."""

    name = "answer_pending"
    en = "The answer is ready, but cannot be booked yet. Repeat the request with the same key."
    zh = "回答已生成，但暂时无法入账，请用相同的幂等键重试。"

    def __init__(self, message_id: str = "", **context: Any) -> None:
        super().__init__(retry_after_seconds=_RETRY_SECONDS, **context)
        self.fields = {"message_id": message_id}


class DatabaseNotConfigured(Unavailable):
    """The endpoint needs a database, and this deployment has none."""

    name = "database_not_configured"
    en = "This deployment has no database."
    zh = "此部署未配置数据库。"
    retryable = False


class StorageUnavailable(Unavailable):
    """The bucket cannot be reached or answered with an error; the context has its code."""

    name = "storage_unavailable"
    en = "The file storage is not available. Try again later."
    zh = "文件存储暂不可用，请稍后再试。"

    def __init__(self, **context: Any) -> None:
        super().__init__(retry_after_seconds=_RETRY_SECONDS, **context)


class WorkerUnreachable(Unavailable):
    """A background function, or the process that reads a document, could not be started."""

    name = "worker_unreachable"
    en = "The work could not be started. Try again later."
    zh = "后台任务未能启动，请稍后再试。"


class Misconfigured(Unavailable):
    """A setting is missing, malformed or unsafe; the log names the variable."""

    name = "misconfigured"
    en = "The service is not configured completely."
    zh = "服务配置不完整。"
    retryable = False
