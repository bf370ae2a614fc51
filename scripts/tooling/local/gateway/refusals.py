"""Error responses in place of a function's: FC's errors, and rules that it would break."""

import json


class Refusal(Exception):
    """An answer of the gateway itself; `detail` is for the terminal alone."""

    status = 502
    code = "BadResponse"
    rule = ""

    def __init__(self, message: str, *, function: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.function = function
        self.detail = detail

    def body(self, request_id: str) -> bytes:
        facts = {
            "Code": self.code,
            "Message": self.message,
            "RequestId": request_id,
            "Function": self.function,
            "Rule": self.rule,
        }
        return json.dumps({key: value for key, value in facts.items() if value}).encode()


class NoRoute(Refusal):
    status = 404
    code = "RouteNotFound"


class LinkRefused(Refusal):
    status = 403
    code = "AccessDenied"


class WrongMethod(Refusal):
    status = 405
    code = "MethodNotAllowed"


class HeadersTooLarge(Refusal):
    status = 400
    code = "InvalidArgument"


class TargetTooLong(Refusal):
    status = 414
    code = "InvalidArgument"


class BodyTooLarge(Refusal):
    status = 413
    code = "EntityTooLarge"


class Violation(Refusal):
    """The answer is there, and breaks a rule of the platform."""

    def __init__(self, rule: str, message: str, *, function: str) -> None:
        super().__init__(f"{function} broke the rule {rule}: {message}", function=function)
        self.rule = rule


class FunctionFailed(Refusal):
    """There is no answer; an asynchronous call is tried again."""


class HandlerRaised(FunctionFailed):
    """Function Compute would have answered `payload`, stack trace and all."""

    code = "UnhandledInvocationError"
    rule = "uncaught_exception"

    def __init__(self, message: str, *, function: str, detail: str, payload: bytes) -> None:
        super().__init__(message, function=function, detail=detail)
        self.payload = payload


class FunctionTimeout(FunctionFailed):
    status = 504
    code = "FunctionTimeout"


class ProcessExited(FunctionFailed):
    code = "ProcessExitedUnexpectedly"


class NotStarted(FunctionFailed):
    code = "FunctionNotStarted"
