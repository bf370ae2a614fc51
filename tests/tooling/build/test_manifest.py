"""s.yaml is read as Serverless Devs reads it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.tooling.manifest.s_yaml import (
    Function,
    ManifestError,
    Route,
    Timer,
    line_of,
    load,
    parse,
)

HEAD = """\
edition: 3.0.0
vars:
  prefix: "${env('NAME_PREFIX', 'demo')}"
  runtime: python3.12
template:
  common: &common
    diskSize: 512
  shared: &shared
    MODE: "${env('MODE', '')}"
  small:
    <<: *common
    runtime: ${vars.runtime}
    cpu: 0.25
    memorySize: 256
    timeout: 30
resources:
"""
HELLO = """\
  hello:
    component: fc3
    extend:
      name: small
    props:
      functionName: ${vars.prefix}-hello
      code: ./.build/hello
      handler: functions.hello.index.handler
      timeout: 60
      environmentVariables:
        <<: *shared
        KEY: "${env('KEY', '') || env('OLD_KEY', '') || env('KEY')}"
      triggers:
        - triggerName: http
          triggerType: http
          triggerConfig:
            authType: anonymous
            methods: [GET, OPTIONS]
"""
TALK = """\
  talk:
    component: fc3
    extend:
      name: small
    props:
      functionName: ${vars.prefix}-talk
      code: ./.build/talk
      handler: functions.talk.index.handler
      runtime: custom.debian11
      customRuntimeConfig:
        command: [python3]
        args: [-m, uvicorn]
        port: 9000
"""
DOMAIN = """\
  domain:
    component: fc3-domain
    props:
      domainName: auto
      routeConfig:
        routes:
          - path: /hello
            functionName: ${resources.hello.props.functionName}
            methods: [GET, OPTIONS]
"""
ROOT = Path("/project")


def read(text: str, environ: Mapping[str, str], *, strict: bool = True) -> dict[str, str]:
    """The environment of hello."""
    manifest = parse(text, environ, root=ROOT, strict=strict)
    return dict(manifest.function("hello").environment)


def problem_of(text: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ManifestError) as caught:
        parse(text, environ or {"KEY": "k"}, root=ROOT)
    return str(caught.value)


def test_a_function_is_its_template_with_its_own_properties_over_it() -> None:
    manifest = parse(HEAD + HELLO + DOMAIN, {"KEY": "k"}, root=ROOT)

    assert manifest.functions == (
        Function(
            name="hello",
            function_name="demo-hello",
            handler="functions.hello.index.handler",
            runtime="python3.12",
            command=(),
            port=None,
            methods=("GET", "OPTIONS"),
            environment={"MODE": "", "KEY": "k"},
            timeout_seconds=60,
            cpu=0.25,
            memory_mb=256,
            disk_mb=512,
            code=ROOT / ".build/hello",
        ),
    )
    assert manifest.routes == (Route("/hello", ("GET", "OPTIONS"), "hello"),)


@pytest.mark.parametrize(
    ("enable", "timers"),
    [("true", (Timer("every-minute", "0 * * * * *"),)), ("false", ())],
)
def test_a_function_that_a_clock_starts_has_no_methods(
    enable: str, timers: tuple[Timer, ...]
) -> None:
    timer = HELLO[: HELLO.index("        - triggerName")] + (
        "        - triggerName: every-minute\n"
        "          triggerType: timer\n"
        '          triggerConfig: {cronExpression: "0 * * * * *", enable: ' + enable + "}\n"
    )

    hello = parse(HEAD + timer, {"KEY": "k"}, root=ROOT).function("hello")

    assert (hello.methods, hello.timers) == ((), timers)


def test_mappings_of_a_template_are_merged_to_the_bottom() -> None:
    nested = "timeout: 30\n    environmentVariables: {LEVEL: info, MODE: loud}"

    environment = read(HEAD.replace("timeout: 30", nested) + HELLO, {"KEY": "k"})

    assert environment == {"LEVEL": "info", "MODE": "", "KEY": "k"}


def test_a_web_function_has_a_command_and_the_python_of_its_runtime() -> None:
    talk = parse(HEAD + TALK, {}, root=ROOT).function("talk")

    assert (talk.is_web, talk.python, talk.port) == (True, "python3.12", 9000)
    assert talk.command == ("python3", "-m", "uvicorn")


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"KEY": "new", "OLD_KEY": "old"}, "new"),
        ({"OLD_KEY": "old"}, "old"),
        ({"KEY": "", "OLD_KEY": "old"}, "old"),
    ],
)
def test_the_first_value_that_is_not_empty_is_taken(environ: dict[str, str], key: str) -> None:
    assert read(HEAD + HELLO, environ) == {"MODE": "", "KEY": key}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("\"${env('SET')}\"", "on"),
        ("\"${ env( 'SET' ) }\"", "on"),
        ("'${env(\"SET\")}'", "on"),
        ("\"${env('EMPTY', 'default')}\"", "default"),
        ("\"${env('UNSET', '')}\"", ""),
        ("\"<${env('SET')}|${vars.prefix}>\"", "<on|demo>"),
        ("\"${env('UNSET', 'a || b')}\"", "a || b"),
        ("\"${env('UNSET', '') || vars.prefix}\"", "demo"),
        ("${resources.hello.props.functionName}", "demo-hello"),
        (">-\n          ${env('UNSET', '')\n          || env('SET')}", "on"),
    ],
)
def test_an_expression_has_the_value_serverless_devs_gives_it(written: str, value: str) -> None:
    text = HEAD + HELLO.replace("KEY: ", f"WRITTEN: {written}\n        KEY: ", 1)
    environ = {"SET": "on", "EMPTY": "", "KEY": "k"}

    assert read(text, environ) == {"MODE": "", "WRITTEN": value, "KEY": "k"}


@pytest.mark.parametrize("environ", [{}, {"KEY": ""}])
def test_a_required_variable_that_is_unset_or_empty_is_named_with_its_line(
    environ: dict[str, str],
) -> None:
    with pytest.raises(ManifestError) as caught:
        read(HEAD + HELLO, environ)

    assert str(caught.value) == "s.yaml:28: KEY is not set"


def test_local_tools_do_without_required_variables() -> None:
    assert read(HEAD + HELLO, {}, strict=False) == {"MODE": ""}


def test_a_key_remembers_the_line_that_counts() -> None:
    text = HEAD + HELLO.replace("KEY: ", "MODE: own\n        KEY: ", 1)
    lines = {n: line_of(n) for n in read(text, {"KEY": "k"})}

    assert lines == {"MODE": 28, "KEY": 29}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("${vars.prefix}", "${vars.suffix}", "s.yaml:22: ${vars.suffix} does not exist"),
        ("${vars.prefix}", "${env.HOME}", "s.yaml:22: ${env.HOME} is no expression known here"),
        ("name: small", "name: large", "s.yaml:20: hello extends large, which is no template"),
        ("timeout: 60", "timeout: 60s", "s.yaml:25: hello has no usable timeout"),
        ("handler:", "handel:", "s.yaml:17: hello has no handler"),
        ("timeout: 60", "timeout: 60\n      timeout: 61", "s.yaml:26: timeout stands twice"),
        (
            "KEY: \"${env('KEY', '') || env('OLD_KEY', '') || env('KEY')}\"",
            "KEY: 1",
            "s.yaml:28: hello needs quotes around the value of KEY",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(old: str, new: str, problem: str) -> None:
    assert problem_of(HEAD + HELLO.replace(old, new, 1)) == problem


def test_a_variable_that_would_be_evaluated_itself_is_refused() -> None:
    """Serverless Devs evaluates the result of an expression again."""
    problem = problem_of(HEAD + HELLO, {"KEY": "pass${vars.prefix}word"})

    assert problem == "s.yaml:28: KEY holds ${...}, which would be evaluated"


def test_a_route_to_an_unknown_function_is_named_with_its_line() -> None:
    domain = DOMAIN.replace("${resources.hello.props.functionName}", "demo-nobody")

    assert problem_of(HEAD + HELLO + domain) == (
        "s.yaml:41: domain routes /hello to demo-nobody, which no resource is called"
    )


def test_text_that_is_no_yaml_is_refused() -> None:
    assert problem_of("resources: [").startswith("s.yaml: ")


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(HEAD + HELLO + TALK)

    with pytest.raises(ManifestError) as caught:
        load(tmp_path / "s.yaml", {}, strict=False).function("hallo")

    assert str(caught.value) == "there is no function hallo; there are hello, talk"
