"""Mutation operators of Python: the mistakes that tests should notice."""

import ast
from collections.abc import Iterator

from scripts.tooling.mutation.edits import Edit, Source

# The boundary, or the opposite.
_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
_FLIPPED_ITSELF = (ast.Compare, ast.UnaryOp, ast.Constant)


def running_parts(node: ast.AST) -> Iterator[ast.AST]:
    """The children of a node, without annotations, decorators, docstrings and type checks."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_for_types(child):
                yield child


def _is_for_types(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring, or the ... of a protocol
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.Subscript) and "Literal" in ast.dump(node.value)


def edits(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The mistakes at this node alone."""
    match node:
        case ast.Compare():
            yield from _comparisons(source, node)
        case ast.BoolOp():
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from source.between(left, right, old, new)
        case ast.UnaryOp(op=ast.Not()):
            yield source.replaced(node, source.of(node.operand))
        case ast.BinOp():
            yield from _arithmetic(source, node)
        case ast.Constant():
            yield from _constants(source, node)
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(node.test, _FLIPPED_ITSELF):
            yield source.replaced(node.test, f"(not ({source.of(node.test)}))")
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield source.replaced(value, "None")
        case ast.arguments():
            yield from _defaults(source, node)
        case ast.withitem(context_expr=ast.Call(func=ast.Name(id="suppress")) as call):
            yield source.replaced(call, "suppress()")
        case ast.ExceptHandler(type=ast.expr() as caught):
            yield source.replaced(caught, "()")
        case ast.stmt():
            yield from _removals(source, node)


def _comparisons(source: Source, node: ast.Compare) -> Iterator[Edit]:
    operands = [node.left, *node.comparators]
    for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
        old, others = _COMPARISONS[type(operator)]
        for new in others:
            yield from source.between(left, right, old, new)


def _arithmetic(source: Source, node: ast.BinOp) -> Iterator[Edit]:
    operands = (node.left, node.right)
    if type(node.op) in _ARITHMETIC and not any(map(_is_text, operands)):
        yield from source.between(*operands, *_ARITHMETIC[type(node.op)])


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _constants(source: Source, node: ast.Constant) -> Iterator[Edit]:
    if isinstance(node.value, bool):
        yield source.replaced(node, str(not node.value))
    elif isinstance(node.value, int | float):
        yield source.replaced(node, repr(node.value + 1))
        yield source.replaced(node, repr(node.value - 1))


def _defaults(source: Source, node: ast.arguments) -> Iterator[Edit]:
    """Defaults that are texts; numbers are changed as constants."""
    for default in (*node.defaults, *node.kw_defaults):
        if isinstance(default, ast.Constant) and isinstance(default.value, str):
            yield source.replaced(default, '""' if default.value else '"mutated"')


def _removals(source: Source, node: ast.stmt) -> Iterator[Edit]:
    """Remove a statement with an effect. An assignment to a name would only be an error."""
    if isinstance(node, ast.Continue):
        yield source.replaced(node, "break")
    elif isinstance(node, ast.Assign):
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            yield source.replaced(node, "pass")
    elif isinstance(node, ast.Expr | ast.AugAssign | ast.Raise | ast.Delete | ast.Break):
        yield source.replaced(node, "pass")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
