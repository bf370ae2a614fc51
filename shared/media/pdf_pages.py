"""The pages of a PDF, one after the other. Does no I/O.

pypdf reads the whole tree of pages before it gives the first one, which takes seconds for
some thousand pages. Here only those are read that are asked for.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_DEPTH, _NODES = 50, 20_000
_RESOURCES = "/Resources"  # the only inherited entry that text depends on


def page_count(reader: "PdfReader") -> int:
    """The count that the document claims: all pages are not looked at."""
    count = _tree(reader).get("/Count")
    return int(count) if isinstance(count, int) and count > 0 else 0


def pages_of(reader: "PdfReader") -> Iterator["PageObject"]:
    """Each page in its order. Branches that are broken, too deep or too many are left out."""
    waiting, nodes = [(_tree(reader).indirect_reference, _tree(reader), None, 0)], 0
    while waiting and nodes < _NODES:
        nodes += 1
        reference, node, inherited, depth = waiting.pop()
        node = node if node is not None else reference.get_object()
        if not isinstance(node, dict):
            continue
        resources = node.get(_RESOURCES, inherited)
        kids = _kids(node)
        if kids is None:
            yield _page(reader, reference, node, resources)
        elif depth < _DEPTH:
            waiting += [(*_resolved(kid), resources, depth + 1) for kid in reversed(kids)]


def _tree(reader: "PdfReader") -> Any:
    return reader.root_object["/Pages"].get_object()


def _kids(node: Any) -> list[Any] | None:
    """The children of a node of the tree; None for a page."""
    kids = node.get("/Kids")
    kids = kids.get_object() if kids is not None else None
    return kids if isinstance(kids, list) and node.get("/Type") != "/Page" else None


def _resolved(kid: Any) -> tuple[Any, Any]:
    """A reference, which is followed when its turn comes, or the node itself."""
    return (None, kid) if isinstance(kid, dict) else (kid, None)


def _page(reader: "PdfReader", reference: Any, node: Any, resources: Any) -> "PageObject":
    from pypdf import PageObject

    page = PageObject(reader, reference)
    page.update(node)
    if resources is not None:
        page.setdefault(_name(_RESOURCES), resources)
    return page


def _name(text: str) -> Any:
    from pypdf.generic import NameObject

    return NameObject(text)
