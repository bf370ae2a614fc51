"""Answers of the demo model: each says that it is canned, and what has arrived. Does no I/O."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.media.picture_size import picture_size

_LONGEST_ECHO = 200
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_DATA = re.compile(r"data:([\w/+.-]+);base64,")
# As shared/media/prompt_text.py labels documents.
_DOCUMENT = re.compile(
    r'^--- (\w+) document ("[^\n]*"), [^\n]* ---\n(.*?)\n--- \1 end ---$', re.M | re.S
)

_EMPTY: Mapping[str, object] = {
    "string": "[demo model]",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
}


def answer_to(question: Mapping[str, Any]) -> str:
    """The answer to a request: JSON without content if it asks for JSON, otherwise words."""
    wanted = question.get("response_format")
    form = wanted if isinstance(wanted, dict) else {}
    if form.get("type") == "json_schema":
        described = form.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        return json.dumps(_without_content(schema))
    if form.get("type") == "json_object":
        return "{}"
    users = [one for one in question["messages"] if one.get("role") == "user"]
    return _in_words(users[-1].get("content") if users else "")


def text_of(content: object) -> str:
    """Return a string, or the text parts of a list; lone surrogates become question marks."""
    if isinstance(content, list):
        return "".join(text_of(part.get("text")) for part in content if isinstance(part, dict))
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def _in_words(content: object) -> str:
    """Say that this is a demo, quote the message, name what came with it, and give advice."""
    documents, message = _without_documents(text_of(content))
    is_chinese = bool(_CHINESE.search(message))
    echo = message[:_LONGEST_ECHO] + ("…" if len(message) > _LONGEST_ECHO else "")
    pictures = [_picture(url, is_chinese=is_chinese) for url in _picture_urls(content)]
    came = [*pictures, *(_document(*one, is_chinese=is_chinese) for one in documents)]
    if is_chinese:
        return (
            f"【演示模型】这不是真正的 AI 回答。你说的是：“{echo}”。"
            f"{'附有：' + '；'.join(came) + '。' if came else ''}"
            "设置 OPENAI_API_KEY 后即可使用真实模型。"
        )
    return (
        f"[demo model] This is not an answer of a real AI model. You said: “{echo}”. "
        f"{'It came with: ' + '; '.join(came) + '. ' if came else ''}"
        "Set OPENAI_API_KEY to talk to a real one."
    )


def _without_documents(text: str) -> tuple[Sequence[tuple[str, str]], str]:
    """The name and text of each document, and the message that stands behind them."""
    found = list(_DOCUMENT.finditer(text))
    if not found:
        return (), text
    return [(one[2].strip('"'), one[3]) for one in found], text[found[-1].end() :].strip()


def _document(name: str, text: str, *, is_chinese: bool) -> str:
    if is_chinese:
        return f"文档“{name}”（{len(text)} 个字符）"
    return f"the document “{name}” ({len(text)} characters)"


def _picture_urls(content: object) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        picture = part.get("image_url") if isinstance(part, dict) else None
        if isinstance(picture, dict):
            yield str(picture.get("url"))


def _picture(url: str, *, is_chinese: bool) -> str:
    about = _about(url) or ("链接" if is_chinese else "a link")
    return f"一张图片（{about}）" if is_chinese else f"a picture ({about})"


def _about(url: str) -> str:
    """Type, width and height of a picture that came as data; empty: it did not."""
    found = _DATA.match(url)
    if not found:
        return ""
    try:
        data = base64.b64decode(url[found.end() :], validate=True)
    except ValueError:
        return f"{found[1]}, ?"
    size = picture_size(data)
    return f"{found[1]}, {size.width} x {size.height}" if size else f"{found[1]}, ?"


def _without_content(schema: object) -> object:
    """The emptiest value of a JSON schema: null where the schema allows it."""
    if not isinstance(schema, dict):
        return None
    allowed = schema.get("type")
    kinds = allowed if isinstance(allowed, list) else [allowed]
    if "null" in kinds:
        return None
    if "object" in kinds:
        properties = schema.get("properties")
        inner = properties if isinstance(properties, dict) else {}
        return {name: _without_content(one) for name, one in inner.items()}
    return next((value for kind, value in _EMPTY.items() if kind in kinds), None)
