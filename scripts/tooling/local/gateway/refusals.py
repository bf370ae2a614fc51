"""Error answers of the gateway: errors of Function Compute, and violations of its rules."""

import json


class Refusal(Exception):
    """An error answer of the gateway; `detail` is only printed on the terminal."""

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
    """No route matches the path."""

    status = 404
    code = "RouteNotFound"


class WrongMethod(Refusal):
    """The route does not allow the method."""

    status = 405
    code = "MethodNotAllowed"


class HeadersTooLarge(Refusal):
    """The request headers exceed the platform's limit."""

    status = 400
    code = "InvalidArgument"


class TargetTooLong(Refusal):
    """Path and query exceed the platform's limit."""

    status = 414
    code = "InvalidArgument"


class BodyTooLarge(Refusal):
    """The request body exceeds the platform's limit."""

    status = 413
    code = "EntityTooLarge"


class Violation(Refusal):
    """The function's answer breaks a rule of the platform."""

    def __init__(self, rule: str, message: str, *, function: str) -> None:
        super().__init__(f"{function} broke the rule {rule}: {message}", function=function)
        self.rule = rule


class FunctionFailed(Refusal):
    """The function gave no answer; an asynchronous call is repeated."""


class HandlerRaised(FunctionFailed):
    """The handler raised; Function Compute would answer `payload`, with the stack trace."""

    code = "UnhandledInvocationError"
    rule = "uncaught_exception"

    def __init__(self, message: str, *, function: str, detail: str, payload: bytes) -> None:
        super().__init__(message, function=function, detail=detail)
        self.payload = payload


class FunctionTimeout(FunctionFailed):
    """The function exceeded its timeout."""

    status = 504
    code = "FunctionTimeout"


class ProcessExited(FunctionFailed):
    """The process of the function ended before it answered."""

    code = "ProcessExitedUnexpectedly"


class NotStarted(FunctionFailed):
    """The process of the function could not be started."""

    code = "FunctionNotStarted"
