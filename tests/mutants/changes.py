"""Small changes to a module's functions, each of which a test should notice."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Change:
    """One changed place in one function."""

    line: int
    function: str  # qualified, as in `Basket.total`
    before: str
    after: str
    code: CodeType  # of the changed function


def changes_of(source: str, filename: str) -> Iterator[Change]:
    """Every change of every function: module-level ones and methods, with what is defined inside of them."""
    tree = ast.parse(source)
    for path, function in _functions(tree):
        nodes = [node for statement in function.body for node in ast.walk(statement)]
        for index, node in enumerate(nodes):
            for number, (before, after) in enumerate(_described(node)):
                changed = copy.deepcopy(tree)
                twin = dict(_functions(changed))[path]
                place = [each for statement in twin.body for each in ast.walk(statement)][index]
                _apply(changed, place, number)
                module = compile(ast.fix_missing_locations(changed), filename, "exec", dont_inherit=True)
                code = _find(module, path)
                if code is not None:
                    yield Change(getattr(node, "lineno", 0), path, before, after, code)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield f"{node.name}.{member.name}", member


def _find(code: CodeType, path: str) -> CodeType | None:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == path:
                return constant
            if found := _find(constant, path):
                return found
    return None


def _described(node: ast.AST) -> Iterator[tuple[str, str]]:
    """What `_apply` can do with a node, in the order of its numbers."""
    if isinstance(node, (ast.expr, ast.stmt)):
        for twin in _twins(node):
            yield _short(node), _short(twin)


def _apply(tree: ast.Module, node: ast.AST, number: int) -> None:
    twin = list(_twins(node))[number]
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, twin)
            elif isinstance(value, list):
                value[:] = [twin if each is node else each for each in value]


def _twins(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """The node with one thing changed."""
    yield from _changed_expressions(node)
    yield from _changed_statements(node)


def _changed_expressions(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=comparators):
            yield ast.Compare(left, [COMPARISONS[type(operator)]()], comparators)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.IfExp(test=test, body=body, orelse=other):
            yield ast.IfExp(test, other, body)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in CALLS:
            yield ast.Call(ast.Name(CALLS[name], ast.Load()), args, keywords)


def _changed_statements(node: ast.AST) -> Iterator[ast.stmt]:
    match node:
        case ast.If(test=test, body=body, orelse=other) if not isinstance(test, (ast.Compare, ast.BoolOp)):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, other)
        case ast.Return(value=value) if value is not None and not isinstance(value, (ast.Constant, ast.Compare)):
            yield ast.Return(ast.Constant(None))
        case ast.Raise() | ast.AugAssign() | ast.Expr(value=ast.Call()) | ast.Continue() | ast.Break():
            yield ast.Pass()


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:90]}…"
