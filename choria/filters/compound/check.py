"""What a tree must be before it is evaluated anywhere: small, and its constants good.

An expression with a mistake in a constant would match nowhere and say nothing; here the caller is
told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from choria.errors import FilterError
from choria.filters.paths import check_path
from choria.filters.regex import compile_regex
from choria.filters.words import parse_word

from .limits import MAX_NODES
from .semver import parse_constraint
from .tokens import wrong
from .tree import Binary, Call, Constant, Node, children

MAX_TREE_DEPTH: Final = 64
"""Twice the nesting of the text: ``a + b + c`` and ``a.b.c`` are deep without any brackets."""


def check(tree: Node) -> None:
    """Refuse a tree that is too large or has a constant that can never do.

    Raises:
        FilterError: the sentence says where.
    """
    waiting, count = [(tree, 1)], 0
    while waiting:  # not recursive: the depth is what is to be found out
        node, depth = waiting.pop()
        count += 1
        if count > MAX_NODES:
            raise FilterError(f"the expression has more than {MAX_NODES} parts")
        if depth > MAX_TREE_DEPTH:
            raise wrong(node.at, f"the expression is deeper than {MAX_TREE_DEPTH}")
        waiting += [(child, depth + 1) for child in children(node)]
        _check_constant(node)


def _check_constant(node: Node) -> None:
    match node:
        case Binary(operator="matches", right=Constant(value=str() as text) as constant):
            _try(_regex, text, constant.at)
        case Call(arguments=(*_, Constant(value=str() as text) as constant)):
            if node.function in _CHECKS:
                _try(_CHECKS[node.function], text, constant.at)
        case _:
            pass


def _try(read: Callable[[str], object], text: str, at: int) -> None:
    try:
        read(text)
    except FilterError as exc:
        raise wrong(at, str(exc)) from None


def _regex(text: str) -> object:
    return compile_regex(text, ignore_case=False)


_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "with": parse_word,
    "fact": check_path,
    "semver": parse_constraint,
}
