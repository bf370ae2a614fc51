"""Rules for s.yaml: it agrees with the code, and messages name the line of a difference."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.tooling.gate.rules import manifest as contract

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "s.yaml").read_text(encoding="utf-8")

Check = Callable[[str, Path], Iterator[str]]


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_the_manifest_and_the_code_agree(check: Check) -> None:
    assert "\n".join(check(TEXT, ROOT)) == ""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the product that a test may change."""
    for folder in ("functions", "shared"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def news(check: Check, text: str, root: Path) -> list[str]:
    """The problems that a check finds in a changed copy and not in the project itself."""
    known = set(check(TEXT, ROOT))
    return [line for line in check(text, root) if line not in known]


def edited(text: str, old: str, new: str, *, after: str = "") -> str:
    """Replace the first `old` after the mark; fail if the manifest does not contain it."""
    start = text.index(after) if after else 0
    position = text.index(old, start)
    return text[:position] + new + text[position + len(old) :]


def line_of(text: str, fragment: str, *, after: str = "") -> int:
    position = text.index(fragment, text.index(after) if after else 0)
    return text.count("\n", 0, position) + 1


def edit_file(file: Path, old: str, new: str) -> str:
    content = edited(file.read_text(encoding="utf-8"), old, new)
    file.write_text(content, encoding="utf-8")
    return content


def test_a_missing_method_is_found_at_the_trigger() -> None:
    text = edited(TEXT, "methods: [POST, OPTIONS]", "methods: [POST]", after="\n  login:")

    assert news(contract.methods_and_paths_that_disagree, text, ROOT) == [
        f"s.yaml:{line_of(text, 'methods: [POST]', after='  login:')}:"
        " the trigger of login lists POST; the code OPTIONS, POST"
    ]


def test_a_mistyped_route_is_found_on_both_sides() -> None:
    text = edited(TEXT, "path: /api/auth/login", "path: /api/auth/signin")
    code = (ROOT / "functions/login/index.py").read_text(encoding="utf-8")

    assert news(contract.methods_and_paths_that_disagree, text, ROOT) == [
        f"s.yaml:{line_of(text, '/api/auth/signin')}: login does not answer /api/auth/signin",
        f"functions/login/index.py:{line_of(code, '@endpoint')}:"
        " s.yaml has no route to POST /api/auth/login",
    ]


def test_wrong_methods_are_found_at_the_route() -> None:
    text = edited(TEXT, "methods: [POST, OPTIONS]", "methods: [PUT]", after="path: /api/auth/login")

    assert news(contract.methods_and_paths_that_disagree, text, ROOT) == [
        f"s.yaml:{line_of(text, '/api/auth/login')}:"
        " /api/auth/login lists PUT; the code OPTIONS, POST"
    ]


def test_a_changed_endpoint_is_found_in_the_code(tree: Path) -> None:
    code = edit_file(tree / "functions/login/index.py", '"/api/auth/login"', '"/api/auth/new"')

    assert (
        f"functions/login/index.py:{line_of(code, '@endpoint')}:"
        " s.yaml has no route to POST /api/auth/new"
    ) in news(contract.methods_and_paths_that_disagree, TEXT, tree)


def test_a_path_with_an_id_needs_a_route_that_fits_any() -> None:
    route = "path: /api/conversations/*"
    text = edited(TEXT, route, "path: /api/talks/*")
    found = news(contract.methods_and_paths_that_disagree, text, ROOT)

    assert found[0] == (
        f"s.yaml:{line_of(text, '/api/talks/*')}: conversations does not answer /api/talks/*"
    )
    assert [re.sub(r".*:\d+: ", "", line) for line in found[1:]] == [
        "s.yaml has no route to GET /api/conversations/{conversation_id}/messages",
        "s.yaml has no route to PATCH /api/conversations/{conversation_id}",
        "s.yaml has no route to DELETE /api/conversations/{conversation_id}",
    ]


def test_a_route_for_any_depth_needs_the_methods_of_all_paths_below_it() -> None:
    methods = "methods: [GET, HEAD, PATCH, DELETE, OPTIONS]"
    text = edited(
        TEXT, methods, "methods: [PATCH, DELETE, OPTIONS]", after="path: /api/conversations/*"
    )

    assert news(contract.methods_and_paths_that_disagree, text, ROOT) == [
        f"s.yaml:{line_of(text, '/api/conversations/*')}: /api/conversations/* lists"
        " DELETE, OPTIONS, PATCH; the code DELETE, GET, HEAD, OPTIONS, PATCH"
    ]


def test_a_function_that_nothing_starts_is_found() -> None:
    text = edited(TEXT, "triggerType: timer", "triggerType: mns_topic")

    assert news(contract.functions_that_nothing_starts, text, ROOT) == [
        f"s.yaml:{line_of(text, '  maintenance:')}: maintenance has neither endpoints nor a timer"
    ]


def test_a_timer_that_anybody_may_call_is_found() -> None:
    http = "- triggerType: http\n          triggerConfig: {methods: [GET]}\n        "
    text = edited(TEXT, "- triggerName: every-minute", f"{http}- triggerName: every-minute")

    assert news(contract.methods_and_paths_that_disagree, text, ROOT) == [
        f"s.yaml:{line_of(text, '[GET]', after='  maintenance:')}:"
        " the trigger of maintenance lists GET; the code nothing"
    ]


def test_a_timer_on_an_endpoint_is_found() -> None:
    timer = "- triggerType: timer\n          triggerConfig: {cronExpression: 0 0 4 * * *}\n        "
    text = edited(TEXT, "- triggerName: http", f"{timer}- triggerName: http", after="\n  login:")

    assert news(contract.functions_that_nothing_starts, text, ROOT) == [
        f"s.yaml:{line_of(text, '0 0 4')}: login has endpoints; a timer cannot call them"
    ]


def test_a_cron_expression_of_five_fields_is_found() -> None:
    text = edited(TEXT, '"0 * * * * *"', '"* * * * *"')

    assert news(contract.functions_that_nothing_starts, text, ROOT) == [
        f"s.yaml:{line_of(text, 'cronExpression')}:"
        " maintenance needs six fields in its cron expression"
    ]


def test_a_route_to_no_resource_is_found() -> None:
    text = edited(TEXT, "${resources.login.props.functionName}", "ai-backend-signin")

    assert news(contract.unreadable, text, ROOT) == [
        f"s.yaml:{line_of(text, '/api/auth/login')}: domain routes /api/auth/login"
        " to ai-backend-signin, which no resource is called"
    ]


def test_a_variable_that_is_read_but_not_given_is_found() -> None:
    text = re.sub(r"\n +BCRYPT_COST: .*", "", TEXT, count=1)
    code = (ROOT / "shared/accounts/passwords.py").read_text(encoding="utf-8")

    assert news(contract.variables_not_provided, text, ROOT) == [
        f"shared/accounts/passwords.py:{line_of(code, 'load(settings.Passwords)')}:"
        f" reads BCRYPT_COST, which s.yaml:{line_of(text, '  register:')} does not give"
    ]


def test_a_variable_that_nobody_reads_is_found() -> None:
    text = edited(TEXT, "BCRYPT_COST:", "SPEED: fast\n        BCRYPT_COST:", after="\n  register:")

    assert news(contract.variables_never_read, text, ROOT) == [
        f"s.yaml:{line_of(text, 'SPEED')}: register never reads SPEED"
    ]


def test_a_new_setting_in_the_code_is_missed_in_the_manifest(tree: Path) -> None:
    edit_file(
        tree / "shared/settings.py",
        '    bcrypt_cost: int = env("BCRYPT_COST"',
        '    pepper: str = env("PEPPER", default="")\n    bcrypt_cost: int = env("BCRYPT_COST"',
    )

    found = news(contract.variables_not_provided, TEXT, tree)

    blocks = re.findall(r"\n  (\w+):\n    component(.*?)(?=\n  \w+:|$)", TEXT, flags=re.DOTALL)
    hashing = [name for name, block in blocks if "BCRYPT_COST" in block]
    assert {"register", "login"} <= set(hashing)
    assert [re.sub(r".*: reads", "reads", line) for line in found] == [
        f"reads PEPPER, which s.yaml:{line_of(TEXT, f'  {name}:')} does not give"
        for name in hashing
    ]


def test_an_alias_that_the_manifest_drops_is_found() -> None:
    text = edited(TEXT, " || env('NEXTAUTH_SECRET', '')", "")

    assert set(news(contract.aliases_that_are_dropped, text, ROOT)) == {
        f"s.yaml:{line_of(text, 'JWT_SECRET')}: JWT_SECRET does not fall back to NEXTAUTH_SECRET"
    }


def test_an_access_that_would_have_to_be_evaluated_is_found() -> None:
    text = edited(TEXT, "access: default", "access: \"${env('ACCESS', 'default')}\"")

    assert news(contract.access_that_is_an_expression, text, ROOT) == [
        "s.yaml: access is read literally, so nobody has the access ${env('ACCESS', 'default')}"
    ]


@pytest.mark.parametrize("command", ["session", "verify"])
def test_a_resource_named_like_a_command_is_found(command: str) -> None:
    text = edited(TEXT, "\n  sessions:\n", f"\n  {command}:\n")

    assert news(contract.resources_named_like_commands, text, ROOT) == [
        f"s.yaml:{line_of(text, f'  {command}:')}:"
        f" {command} is a command; the resource needs another name"
    ]


def test_a_resource_with_the_stage_of_another_is_found() -> None:
    text = edited(TEXT, "code: ./.build/login", "code: ./.build/register")

    assert news(contract.unreadable, text, ROOT) == [
        f"s.yaml:{line_of(text, '  login:')}: ai-backend-login has the code of ai-backend-register"
    ]


def test_a_folder_without_a_resource_is_found(tree: Path) -> None:
    (tree / "functions/report").mkdir()
    (tree / "functions/report/__init__.py").touch()

    assert news(contract.folders_without_resource, TEXT, tree) == [
        "functions/report: s.yaml has no such resource"
    ]


def test_a_resource_without_a_folder_is_found(tree: Path) -> None:
    shutil.rmtree(tree / "functions/login")

    assert news(contract.resources_without_folder, TEXT, tree) == [
        f"s.yaml:{line_of(TEXT, '  login:')}: there is no functions/login/index.py"
    ]


def test_a_handler_that_does_not_resolve_is_found(tree: Path) -> None:
    edit_file(tree / "functions/health/index.py", "handler = ", "handle = ")

    assert news(contract.handlers_that_do_not_resolve, TEXT, tree) == [
        f"s.yaml:{line_of(TEXT, 'handler: functions.health')}: functions.health.index.handler:"
        " AttributeError: module 'functions.health.index' has no attribute 'handler'"
    ]


def test_a_handler_of_another_folder_is_found() -> None:
    text = edited(TEXT, "handler: functions.login.", "handler: functions.register.")

    assert news(contract.handlers_that_do_not_resolve, text, ROOT) == [
        f"s.yaml:{line_of(text, 'handler: functions.register', after='  login:')}:"
        " functions.register.index.handler is not in functions/login"
    ]


def test_code_that_is_not_the_stage_is_found() -> None:
    text = edited(TEXT, "code: ./.build/login", "code: ./")

    assert news(contract.handlers_that_do_not_resolve, text, ROOT) == [
        f"s.yaml:{line_of(text, '  login:')}: the code of login is not ./.build/login"
    ]


def test_a_web_command_that_serves_something_else_is_found() -> None:
    text = edited(TEXT, "- functions.chat.index:handler", "- functions.chat.index:app")

    assert news(contract.handlers_that_do_not_resolve, text, ROOT) == [
        f"s.yaml:{line_of(text, '  chat:')}:"
        " the command of chat does not serve functions.chat.index:handler"
    ]


@pytest.mark.parametrize("key", ["cpu", "memorySize", "timeout", "diskSize"])
def test_a_missing_size_is_found(key: str) -> None:
    text = re.sub(rf"\n +{key}: .*", "", TEXT)

    assert news(contract.unreadable, text, ROOT) == [
        f"s.yaml:{line_of(text, '  health:')}: health has no {key}"
    ]


def test_too_large_an_environment_is_found() -> None:
    text = edited(TEXT, "BCRYPT_COST: ", f"BCRYPT_COST: x{'9' * 4096} # ", after="\n  login:")

    (found,) = contract.environments_too_large(text, ROOT)

    assert re.fullmatch(
        rf"s.yaml:{line_of(text, '  login:')}: login needs \d+ bytes of environment", found
    )
