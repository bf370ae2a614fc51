"""Secrets that anyone could guess: words of guides, sequences and repetitions. Does no I/O."""

import re
import unicodedata

# Words of example secrets, without blanks and dashes; longer ones first.
_WORDS = [
    "placeholder",
    "characters",
    "passphrase",
    "production",
    "administrator",
    "development",
    "environment",
    "openssl",
    "password",
    "changeme",
    "changethis",
    "replace",
    "example",
    "sample",
    "default",
    "encryption",
    "encrypt",
    "generated",
    "generate",
    "signing",
    "nextauth",
    "username",
    "database",
    "passwd",
    "secret",
    "secure",
    "strong",
    "random",
    "string",
    "change",
    "insert",
    "update",
    "testing",
    "staging",
    "please",
    "output",
    "letmein",
    "welcome",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "asdfgh",
    "zxcvbnm",
    "1qaz2wsx",
    "1qaz",
    "2wsx",
    "3edc",
    "4rfv",
    "iloveyou",
    "dragon",
    "monkey",
    "master",
    "hidden",
    "backend",
    "server",
    "minimum",
    "atleast",
    "should",
    "token",
    "admin",
    "login",
    "super",
    "value",
    "local",
    "demo",
    "dummy",
    "test",
    "temp",
    "here",
    "your",
    "this",
    "with",
    "must",
    "long",
    "very",
    "prod",
    "user",
    "root",
    "pass",
    "auth",
    "hash",
    "rand",
    "base",
    "32bytes",
    "256",
    "key",
    "jwt",
    "dev",
    "app",
    "the",
    "for",
    "hex",
    "and",
    "api",
    "my",
    "not",
    "use",
    "abc",
    "xyz",
    "密钥",
    "密码",
    "口令",
    "生产",
    "环境",
    "随机",
    "字符串",
    "字符",
    "强",
    "请修改",
    "修改",
    "替换",
    "更换",
    "你的",
    "您的",
    "至少",
    "位",
    "测试",
    "示例",
    "默认",
]
_SIGNS = str.maketrans("@$", "as")
_LOOK_ALIKES = str.maketrans("430157", "aeoist")
_REPEATED = re.compile(r"(.{1,64}?)\1+")
_ORDINARY_RUN = 3


def is_guessable(secret: str, *, needed: int, different: int) -> bool:
    """Whether too little is left of a secret without its guessable parts.

    `needed` characters must be left, with `different` ones among them. Random secrets lose few.
    """
    text = unicodedata.normalize("NFKC", secret).lower().translate(_SIGNS)
    text = re.sub(r"[\W_]+", "", text)
    left = _without_runs(_without_repetitions(_without_words(text)))
    return len(left) < needed or len(set(left)) < different


def _without_words(text: str) -> str:
    for word in _WORDS:
        text = text.replace(word, "")
        while (at := text.translate(_LOOK_ALIKES).find(word)) >= 0:
            text = text[:at] + text[at + len(word) :]
    return text


def _without_repetitions(text: str) -> str:
    """The text with each block that is repeated at once only once."""
    while (shorter := _REPEATED.sub(r"\1", text)) != text:
        text = shorter
    return text


def _without_runs(text: str) -> str:
    """The text without sequences such as abcd or 4321."""
    kept, start = "", 0
    while start < len(text):
        end = _end_of_run(text, start)
        if end - start < _ORDINARY_RUN:
            end = start + 1
            kept += text[start]
        start = end
    return kept


def _end_of_run(text: str, start: int) -> int:
    end = start + 1
    step = ord(text[end]) - ord(text[start]) if end < len(text) else 0
    while abs(step) == 1 and end < len(text) and ord(text[end]) - ord(text[end - 1]) == step:
        end += 1
    return end
