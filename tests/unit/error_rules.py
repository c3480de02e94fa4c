"""Every rule that the code can refuse with, found by reading the source.

A rule is a class's `rule`, or what a call hands over as `rule=`: a text, a constant, a parameter of a helper whose
callers hand it over, or the first of each row of a table that a loop goes through.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


class UnreadableRule(AssertionError):
    """A rule is handed over in a way that this reader does not follow: teach it, or write it plainly."""


def rules_in(package: Path) -> dict[str, str]:
    """Each rule, and one place that uses it."""
    found: dict[str, str] = {}
    constants = {path.stem: _constants(_tree(path)) for path in package.rglob("*.py")}
    for path in sorted(package.rglob("*.py")):
        tree = _tree(path)
        for rule in (*_class_rules(tree), *_Reader(path, tree, constants).rules()):
            found.setdefault(rule, path.name)
    return found


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """What the module's own names stand for."""
    constants: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            constants[statement.targets[0].id] = statement.value
        elif (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value
        ):
            constants[statement.target.id] = statement.value
    return constants


def _class_rules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for statement in node.body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "rule":
                assert isinstance(statement.value, ast.Constant)
                yield str(statement.value.value)


class _Reader:
    def __init__(self, path: Path, tree: ast.Module, constants: dict[str, dict[str, ast.expr]]) -> None:
        self._path = path
        self._tree = tree
        self._constants = constants

    def rules(self) -> Iterator[str]:
        for function in [node for node in ast.walk(self._tree) if isinstance(node, Function)]:
            for call in _calls(function):
                if _name(call.func) in ("Finding", "__init__", "Refusal"):
                    continue  # a lint's rule is documented with the profiles; errors.py hands its own on
                if ast.unparse(call.func).startswith("answers."):
                    continue  # what the API tells of a rule that was raised elsewhere
                for keyword in call.keywords:
                    if keyword.arg == "rule":
                        yield from self._read(keyword.value, function)

    def _read(self, value: ast.expr, function: Function) -> Iterator[str]:
        if isinstance(value, ast.Constant):
            yield str(value.value)
        elif isinstance(value, ast.IfExp):
            yield from self._read(value.body, function)
            yield from self._read(value.orelse, function)
        elif isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            yield from self._constant(value.value.id, value.attr, function)
        elif isinstance(value, ast.Name):
            yield from self._name(value.id, function)
        else:
            raise UnreadableRule(f"{self._path.name}:{value.lineno}: rule={ast.unparse(value)}")

    def _constant(self, module: str, name: str, function: Function) -> Iterator[str]:
        yield from self._read(self._constants[module][name], function)

    def _name(self, name: str, function: Function) -> Iterator[str]:
        parameters = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
        if name in self._constants[self._path.stem]:
            yield from self._constant(self._path.stem, name, function)
        elif name in parameters:
            yield from self._handed_over(name, parameters.index(name), function)
        elif table := next((loop.iter for loop in loops if name in ast.unparse(loop.target)), None):
            rows = self._constants[self._path.stem][ast.unparse(table)]
            assert isinstance(rows, ast.Tuple)
            for row in rows.elts:
                assert isinstance(row, ast.Tuple)
                yield from self._read(row.elts[0], function)
        elif imported := self._imported(name):
            yield from self._constant(imported, name, function)
        else:
            raise UnreadableRule(f"{self._path.name}:{function.lineno}: where does {name!r} come from?")

    def _handed_over(self, name: str, position: int, helper: Function) -> Iterator[str]:
        for function in [node for node in ast.walk(self._tree) if isinstance(node, Function)]:
            for call in [one for one in _calls(function) if _name(one.func) == helper.name]:
                given = [keyword.value for keyword in call.keywords if keyword.arg == name]
                given = given or call.args[position : position + 1]
                for value in given or [_default(helper, name)]:
                    yield from self._read(value, function)

    def _imported(self, name: str) -> str | None:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
                return (node.module or "").rpartition(".")[2]
        return None


def _default(function: Function, name: str) -> ast.expr:
    positional = function.args.args
    defaults = dict(
        zip(
            [argument.arg for argument in reversed(positional)],
            reversed(function.args.defaults),
            strict=False,
        )
    )
    keyword_only = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    defaults |= {argument.arg: default for argument, default in keyword_only if default is not None}
    return defaults[name]


def _calls(function: Function) -> Iterator[ast.Call]:
    """The calls of a function, those of the functions within it left to them."""
    for statement in ast.iter_child_nodes(function):
        yield from _calls_under(statement)


def _calls_under(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, Function):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls_under(child)


def _name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]
