"""The value of a tree for one machine, within a budget of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from choria.errors import FilterError
from choria.filters.subject import Subject

from .budget import Budget
from .functions import call
from .operators import binary, field
from .tokens import wrong
from .tree import (
    Binary,
    Call,
    Choice,
    Closure,
    Constant,
    Index,
    Item,
    ListOf,
    Logic,
    Node,
    Unary,
    Variable,
)
from .values import in_range, is_number, name_of


def evaluate(tree: Node, subject: Subject, budget: Budget) -> bool:
    """Whether the expression is true of a machine.

    Raises:
        FilterError: it cannot be judged here, or is neither true nor false; the sentence says where.
    """
    value = _Run(subject, budget).value(tree)
    if not isinstance(value, bool):
        raise FilterError(f"the expression is {name_of(value)} here, neither true nor false")
    return value


class _Run:
    """One evaluation. ``_items`` are the list items of the closures that are open, inner last."""

    def __init__(self, subject: Subject, budget: Budget) -> None:
        self._subject = subject
        self._budget = budget
        self._items: list[Any] = []

    def value(self, node: Node) -> Any:
        self._budget.charge(1)
        return _WALK[type(node)](self, node)

    def constant(self, node: Constant) -> Any:
        return node.value

    def item(self, _node: Item) -> Any:
        return self._items[-1]

    def variable(self, node: Variable) -> Any:
        """What is not known is nil, as in Choria."""
        match node.name:
            case "agents":
                return self._sorted(self._subject.agents)
            case "classes":
                return self._sorted(self._subject.classes)
            case "facts":
                return self._subject.facts.tree
            case _:
                return self._subject.variables.get(node.name)

    def _sorted(self, names: frozenset[str]) -> list[str]:
        self._budget.charge(len(names) // 8)
        return sorted(names)

    def list_of(self, node: ListOf) -> list[Any]:
        return [self.value(item) for item in node.items]

    def logic(self, node: Logic) -> bool:
        decided = node.operator == "or"
        return decided if any(self._truth(o) is decided for o in node.operands) else not decided

    def choice(self, node: Choice) -> Any:
        return self.value(node.yes if self._truth(node.condition) else node.no)

    def unary(self, node: Unary) -> Any:
        if node.operator == "not":
            return not self._truth(node.operand)
        value = self.value(node.operand)
        if not is_number(value):
            raise wrong(node.at, f"{node.operator} stands before {name_of(value)}")
        return self._placed(node, lambda: in_range(-value if node.operator == "-" else value))

    def binary(self, node: Binary) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        return self._placed(node, lambda: binary(node.operator, left, right, self._budget))

    def index(self, node: Index) -> Any:
        of, key = self.value(node.of), self.value(node.key)
        return self._placed(node, lambda: field(of, key))

    def call(self, node: Call) -> Any:
        values = [self.value(argument) for argument in node.arguments]
        return self._placed(node, lambda: call(node.function, values, self._subject, self._budget))

    def closure(self, node: Closure) -> Any:
        items = self.value(node.items)
        if not isinstance(items, list):
            raise wrong(node.at, f"{node.function}() needs a list, not {name_of(items)}")
        hits = 0
        for item in items:
            self._items.append(item)
            hits += self._truth(node.predicate)
            self._items.pop()
            if hits and node.function in {"any", "none"}:
                break
        return _CLOSURES[node.function](hits, len(items))

    def _truth(self, node: Node) -> bool:
        value = self.value(node)
        if not isinstance(value, bool):
            raise wrong(node.at, f"{name_of(value)} stands where true or false is needed")
        return value

    @staticmethod
    def _placed(node: Node, compute: Callable[[], Any]) -> Any:
        """What fails by its values gets its place into the sentence."""
        try:
            return compute()
        except FilterError as exc:
            raise wrong(node.at, str(exc)) from None


_WALK: Final[Mapping[type, Callable[[_Run, Any], Any]]] = {
    Constant: _Run.constant,
    Item: _Run.item,
    Variable: _Run.variable,
    ListOf: _Run.list_of,
    Logic: _Run.logic,
    Choice: _Run.choice,
    Unary: _Run.unary,
    Binary: _Run.binary,
    Index: _Run.index,
    Call: _Run.call,
    Closure: _Run.closure,
}
_CLOSURES: Final[Mapping[str, Callable[[int, int], bool | int]]] = {
    "any": lambda hits, _count: hits > 0,
    "all": lambda hits, count: hits == count,
    "none": lambda hits, _count: hits == 0,
    "one": lambda hits, _count: hits == 1,
    "count": lambda hits, _count: hits,
}
