"""Every check of the package as it stands in the source, and the package without one of them.

A check is a statement that refuses: `if condition: raise ...`, or the call of a function that does
nothing else, alone or as the context in which what follows is believed.  A condition that is an
`or` (or the `not` of an `and`, or of `a <= b <= c`) is as many checks as it has parts.  `checks`
finds them by reading the source, so that a new one is not forgotten; `remove` builds the function
anew, that one part left out.
"""

import ast
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import pytest

ROOMS = {
    "client": (
        "client.client",
        "client.member",
        "client.rounds",
        "client.sealing",
        "client.snapshot",
    ),
    "identity": ("identity.directory", "identity.authority", "curve"),
    "params": ("params", "graph"),
    "roster": ("roster",),
    "server_rounds": ("server.rounds", "server.opening", "server.session", "server.recovery"),
    "server": (
        "server.server",
        "server.transitions",
        "server.aggregate",
        "server.snapshot",
        "server_sealing",
    ),
    "snapshots": ("snapshots.sealed",),
    "wire": ("wire", "packing", "sharing.shamir", "ending"),
}
"""What an attack in tests/attacks/checks/test_<room>.py can be on."""

MODULES = tuple(module for modules in ROOMS.values() for module in modules)
ARGUMENTS = {
    "masks": ("masks.pairwise", "masks.prg", "client.inputs"),
    "sharing": ("sharing.reed_solomon",),
    "words": ("quantize", "exact"),
}
"""Modules that judge the arguments of our own caller, but where a wrong one would go unnoticed."""

FL_ROOMS = {
    "aggregators": (
        "fl.aggregators.contribution",
        "fl.aggregators.interface",
        "fl.aggregators.observed",
        "fl.aggregators.plain",
        "fl.aggregators.secure",
        "fl.aggregators.thresholds",
        "fl.aggregators.totals",
    ),
    "data": ("fl.data.masked", "fl.data.reals"),
    "encoding": (
        "fl.aggregators.codings.encoding",
        "fl.aggregators.codings.decoding",
        "fl.aggregators.codings.clipped",
        "fl.aggregators.codings.rotated",
        "fl.aggregators.clipping",
    ),
    "noise": (
        "fl.aggregators.budget",
        "fl.aggregators.central",
        "fl.aggregators.codings.noisy",
    ),
    "model": ("fl.model.vector", "fl.model.layout"),
    "plan": ("fl.plan", "fl.round_message", "fl.whole_numbers"),
    "process": (
        "fl.process.server_optimizer",
        "fl.process.federated_process",
        "fl.process.client_half",
        "fl.process.simulation",
    ),
}
"""Modules through which numbers pass on their way into a sum and out of it: a file for each in
tests/fl/refusals."""

GUARDED = ("errors", "keys", "simulation.network", "simulation.workers")
"""Modules with nothing that refuses by itself, but with guards."""

NO_DEFENCE = (
    "cli",
    "identity.directory_files",
    "identity.key_files",
    "masks.suites",
    "parameters",
    "simulation.checks",
    "simulation.setup",
)
"""Modules that refuse only what their own user gives them, and guard only against that."""

CALLS = {
    "verify", "check_x25519", "check_distinct_keys", "check_holders", "at_least", "decode_shares",
    "_check_signatures", "_check_ciphertexts", "_check_author", "_check", "check", "check_entry",
    "check_id", "check_columns", "check_own_entry", "check_advertisement", "check_holds",
    "check_neighbour", "check_signer", "check_distinct_identities", "signed", "check_server_key",
    "need_server_key", "_check_key", "check_end", "check_bits", "must_be_plausible",
}  # fmt: skip
OURS_TO_GET_WRONG = {  # arguments of our own caller: nobody attacks with them
    "secagg.client.member.Member.__post_init__",
    "secagg.sharing.shamir._check_coordinates",
    "secagg.server.server.Server.close_round",
    "secagg.server.server.Server.result",
    "secagg.server.server.Server.waiting_for",
    "secagg.server.server.Server.abandon",
    "secagg.server.server.Server.ends",
    "secagg.server.aggregate.Aggregate.sum",
    "secagg.params.VectorSpec.__post_init__",
    "secagg.params._listed",
    "secagg.graph.Ring.defaults",
    "secagg.identity.directory.Pinned.load",
    "secagg.identity.directory.as_directory",
    "secagg.identity.authority.issue",
    "secagg.identity.authority.Authority.load",
    "secagg.snapshots.sealed.seal",
}
"""Functions whose refusals are no defence against a peer."""


@dataclass(frozen=True)
class Check:
    """One part of one refusal: `where` is the function, `says` the source of the part."""

    where: str
    says: str

    def __str__(self) -> str:
        return f"{self.where.removeprefix('secagg.')}: {self.says}"


def checks(modules: Iterable[str] = MODULES) -> list[Check]:
    """All checks of these modules, in the order of the source."""
    found = []
    for where, function in _functions(modules):
        if where not in OURS_TO_GET_WRONG:
            found += [Check(where, says) for _, _, says in _parts_of(function)]
    return found


def remove(monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    """The package without this check, until the test ends."""
    function = dict(_functions([_module_of(check.where)]))[check.where]
    statement, part = next((s, p) for s, p, says in _parts_of(function) if says == check.says)
    if isinstance(statement, ast.If):
        rest = [other for other in _alternatives(statement.test) if other is not part]
        statement.test = _any(rest)
    elif isinstance(statement, ast.With):
        nothing = ast.parse("__import__('contextlib').nullcontext()", mode="eval").body
        statement.items[0].context_expr = nothing
    else:
        statement.value = ast.Constant(None)  # type: ignore[attr-defined]
    replace(monkeypatch, check.where, _compiled(check.where, function))


def guards(modules: Iterable[str]) -> list[Check]:
    """Each type of exception that a function of these modules turns into another."""
    return [
        Check(where, f"except {ast.unparse(kind)}")
        for where, function in _functions(modules)
        if where not in OURS_TO_GET_WRONG
        for _, _, kind in _handled(function)
    ]


def unguard(monkeypatch: pytest.MonkeyPatch, guard: Check) -> None:
    """The package in which this type of exception goes through here, until the test ends."""
    function = dict(_functions([_module_of(guard.where)]))[guard.where]
    node, handler, kind = next(
        found for found in _handled(function) if f"except {ast.unparse(found[2])}" == guard.says
    )
    kinds = [k for k in _kinds(handler) if k is not kind]
    if kinds:
        handler.type = ast.Tuple(kinds, ast.Load())
    else:
        node.handlers = [ast.parse("try: pass\nexcept (): pass").body[0].handlers[0]]  # type: ignore[attr-defined]
    replace(monkeypatch, guard.where, _compiled(guard.where, function))


def _handled(function: ast.FunctionDef) -> Iterator[tuple[ast.Try, ast.ExceptHandler, ast.expr]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from ((node, handler, kind) for kind in _kinds(handler))


def _kinds(handler: ast.ExceptHandler) -> list[ast.expr]:
    kind = handler.type
    return kind.elts if isinstance(kind, ast.Tuple) else [kind] if kind is not None else []


def replace(monkeypatch: pytest.MonkeyPatch, where: str, function: Any) -> None:
    """Another function of this name, wherever the package refers to the old one."""
    owner, name = _owner(where)
    old = inspect.getattr_static(owner, name)
    if isinstance(old, staticmethod):
        function = staticmethod(function)
    monkeypatch.setattr(owner, name, function)
    for module in [m for n, m in sys.modules.items() if n.split(".")[0] in ("secagg", "fl")]:
        if getattr(module, name, None) is old:
            monkeypatch.setattr(module, name, function)


def full(name: str) -> str:
    """A name with its package: that is `secagg` where none is named."""
    return name if name.startswith(("fl.", "secagg.")) else f"secagg.{name}"


def _functions(modules: Iterable[str]) -> Iterator[tuple[str, ast.FunctionDef]]:
    for module in map(full, modules):
        tree = ast.parse(inspect.getsource(importlib.import_module(module)))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                yield f"{module}.{node.name}", node
            elif isinstance(node, ast.ClassDef):
                for member in node.body:
                    if isinstance(member, ast.FunctionDef):
                        yield f"{module}.{node.name}.{member.name}", member


def _module_of(where: str) -> str:
    """The module of a function: the longest part of its name that is one."""
    while where not in sys.modules:
        where = where.rpartition(".")[0]
    return where


def _parts_of(function: ast.FunctionDef) -> Iterator[tuple[ast.stmt, ast.expr, str]]:
    """(statement, part, its source) for every check in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.If) and _refuses(node):
            for part in _alternatives(node.test):
                yield node, part, ast.unparse(part)
        elif isinstance(node, ast.Expr) and _is_check(node.value):
            yield node, node.value, ast.unparse(node.value)
        elif isinstance(node, ast.With) and _is_check(node.items[0].context_expr):
            yield node, node.items[0].context_expr, ast.unparse(node.items[0].context_expr)


def _is_check(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in CALLS


def _refuses(node: ast.If) -> bool:
    last = node.body[-1]
    gives_none = isinstance(last, ast.Return) and ast.unparse(last) == "return None"
    return not node.orelse and (isinstance(last, ast.Raise) or gives_none)


def _alternatives(test: ast.expr) -> list[ast.expr]:
    """The parts whose `or` a condition is."""
    match test:
        case ast.BoolOp(op=ast.Or(), values=values):
            return values
        case ast.UnaryOp(op=ast.Not(), operand=ast.BoolOp(op=ast.And(), values=values)):
            return _negated(test, [part for value in values for part in _links(value)])
        case ast.UnaryOp(op=ast.Not(), operand=ast.Compare() as comparison):
            return _negated(test, _links(comparison))
    return [test]


def _links(value: ast.expr) -> list[ast.expr]:
    """a <= b <= c as a <= b, b <= c."""
    if not isinstance(value, ast.Compare):
        return [value]
    terms = [value.left, *value.comparators]
    return [
        ast.Compare(a, [op], [b])
        for a, op, b in zip(terms[:-1], value.ops, terms[1:], strict=True)
    ]  # fmt: skip


def _negated(test: ast.expr, parts: list[ast.expr]) -> list[ast.expr]:
    """The same objects each time that they are asked for: `remove` tells them by identity."""
    cached: list[ast.expr] | None = getattr(test, "_parts", None)
    if cached is None:
        cached = [ast.UnaryOp(ast.Not(), part) for part in parts]
        test._parts = cached  # type: ignore[attr-defined]
    return cached


def _any(parts: list[ast.expr]) -> ast.expr:
    if not parts:
        return ast.Constant(False)
    return parts[0] if len(parts) == 1 else ast.BoolOp(ast.Or(), parts)


def _compiled(where: str, function: ast.FunctionDef) -> FunctionType:
    module = importlib.import_module(_module_of(where))
    function.decorator_list = [d for d in function.decorator_list if _makes_a_context(d)]
    tree = ast.fix_missing_locations(ast.Module([function], []))
    names: dict[str, Any] = {}
    exec(compile(tree, where, "exec"), vars(module), names)
    built: FunctionType = names[function.name]
    return built


def _makes_a_context(decorator: ast.expr) -> bool:
    """Others are for the class or the cache, and `replace` sees to them."""
    return ast.unparse(decorator) == "contextmanager"


def _owner(where: str) -> tuple[Any, str]:
    module = _module_of(where)
    path = where.removeprefix(f"{module}.").split(".")
    owner: Any = sys.modules[module]
    for name in path[:-1]:
        owner = getattr(owner, name)
    return owner, path[-1]
