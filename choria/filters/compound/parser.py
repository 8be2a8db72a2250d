"""Tokens to a tree: a Pratt parser. Powers and quirks are those of the expr language.

``not`` and ``!`` bind closer than comparisons and looser than arithmetic, as there: ``not a == b``
is ``(not a) == b``, so whoever compares writes ``not (a == b)`` or ``a != b``.
"""

from __future__ import annotations

from collections.abc import Collection

from choria.errors import FilterError

from .grammar import (
    CLOSURES,
    CONSTANTS,
    FUNCTIONS,
    NEGATABLE,
    ORDER,
    POWERS,
    SPELLINGS,
    UNARY,
    WORDS,
)
from .limits import MAX_DEPTH
from .plugins import is_plugin_name
from .tokens import Kind, Token, tokens, wrong
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


def parse(text: str, data_functions: Collection[str] | None) -> Node:
    """Read an expression, which may call ``data_functions``; None: what any machine may have.

    Raises:
        FilterError: it is none; the sentence says where and why.
    """
    return _Parser(tokens(text), data_functions).whole()


class _Parser:
    """One walk over the tokens."""

    def __init__(self, found: list[Token], data_functions: Collection[str] | None) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0
        self._closures = 0
        self._data_functions = data_functions

    def whole(self) -> Node:
        node = self._expression(0)
        if self._token.kind is not Kind.END:
            raise self._unexpected("an operator, or the end")
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _is(self, sign: str) -> bool:
        return self._token.kind is Kind.SIGN and self._token.text == sign

    def _take(self, sign: str) -> bool:
        if self._is(sign):
            self._next()
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unexpected(repr(sign))

    def _unexpected(self, wanted: str) -> FilterError:
        here = self._token
        found = here.text if here.kind is Kind.END else repr(here.text[:40])
        return wrong(here.at, f"{wanted} is missing before {found}")

    def _operator(self) -> str:
        """The operator that stands here, in its one spelling; else nothing."""
        token = self._token
        if token.kind is Kind.SIGN:
            return SPELLINGS.get(token.text, token.text)
        return token.text if token.kind is Kind.NAME and token.text in WORDS else ""

    def _expression(self, power: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise wrong(self._token.at, f"the expression is nested deeper than {MAX_DEPTH}")
        node = self._binary(self._prefix(), power)
        if power == 0:
            node = self._choice(node)
        self._depth -= 1
        return node

    def _binary(self, left: Node, power: int) -> Node:
        while True:
            at, mark = self._token.at, self._at
            negated = self._operator() == "not" and self._token.text == "not"
            if negated:  # "x not in y"
                self._next()
            operator = self._operator()
            own = POWERS.get(operator, -1)
            if own < max(power, 1) or (negated and operator not in NEGATABLE):
                self._at = mark
                return left
            self._next()
            self._refuse_chain(left, operator, at)
            left = _joined(at, operator, left, self._expression(own + 1))
            if negated:
                left = Unary(at, "not", left)

    def _refuse_chain(self, left: Node, operator: str, at: int) -> None:
        before = self._tokens[self._at - 2]
        closed = before.kind is Kind.SIGN and before.text == ")"
        if operator in ORDER and isinstance(left, Binary) and left.operator in ORDER and not closed:
            raise wrong(at, "comparisons do not chain: write a < b and b < c")

    def _choice(self, condition: Node) -> Node:
        at = self._token.at
        if self._take("?:"):
            return Choice(at, condition, condition, self._expression(0))
        if not self._take("?"):
            return condition
        yes = self._expression(0)
        self._expect(":")
        return Choice(at, condition, yes, self._expression(0))

    def _prefix(self) -> Node:
        operator, at = self._operator(), self._token.at
        if operator in UNARY:
            self._next()
            return self._postfix(Unary(at, operator, self._expression(UNARY[operator])))
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        while True:
            at = self._token.at
            if self._take("."):
                node = Index(at, node, self._field())
            elif self._take("["):
                node = Index(at, node, self._expression(0))
                self._expect("]")
            else:
                return node

    def _field(self) -> Node:
        if self._token.kind is not Kind.NAME:
            raise self._unexpected("the name of a field")
        name = self._next()
        if self._is("("):
            raise wrong(name.at, f"values have fields, no methods such as {name.text}()")
        return Constant(name.at, name.text)

    def _primary(self) -> Node:
        token = self._token
        if token.kind is Kind.LITERAL:
            return Constant(token.at, self._next().value)
        if token.kind is Kind.NAME and token.text not in WORDS:
            return self._name()
        if self._take("("):
            node = self._expression(0)
            self._expect(")")
            return node
        if self._take("["):
            return ListOf(token.at, self._list("]"))
        if self._is("#") or self._is("."):
            return self._item()
        raise self._unexpected("a value")

    def _item(self) -> Node:
        """``#``, and ``.field`` for ``#.field``."""
        at = self._token.at
        if not self._closures:
            raise wrong(at, "# stands for a list item and belongs into any(list, {...})")
        self._take("#")
        return Item(at)

    def _name(self) -> Node:
        token = self._next()
        if token.text in CONSTANTS:
            return Constant(token.at, CONSTANTS[token.text])
        if not self._take("("):
            return Variable(token.at, token.text)
        if token.text in CLOSURES:
            return self._closure(token)
        self._refuse_unknown(token)
        arguments = self._list(")")
        wanted = FUNCTIONS.get(token.text, len(arguments))
        if len(arguments) != wanted:
            raise wrong(token.at, f"{token.text}() takes {wanted} values, not {len(arguments)}")
        return Call(token.at, token.text, arguments)

    def _refuse_unknown(self, token: Token) -> None:
        given = self._data_functions
        may_be = is_plugin_name(token.text) if given is None else token.text in given
        if token.text in FUNCTIONS or may_be:
            return
        known = sorted({*FUNCTIONS, *CLOSURES, *(given or ())})
        what = f"there is no function and no data plugin {token.text}(); there are"
        raise wrong(token.at, f"{what}: {', '.join(known)}")

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._take(end):
            if items:
                self._expect(",")
                if self._take(end):  # a comma before the end is allowed
                    break
            items.append(self._expression(0))
        return tuple(items)

    def _closure(self, token: Token) -> Node:
        items = self._expression(0)
        self._expect(",")
        self._closures += 1
        braced = self._take("{")
        predicate = self._expression(0)
        if braced:
            self._expect("}")
        self._closures -= 1
        self._expect(")")
        return Closure(token.at, token.text, items, predicate)


def _joined(at: int, operator: str, left: Node, right: Node) -> Node:
    """``a or b or c`` is one node, so that long lists of alternatives are not deep."""
    if operator not in {"and", "or"}:
        return Binary(at, operator, left, right)
    if isinstance(left, Logic) and left.operator == operator:
        return Logic(left.at, operator, (*left.operands, right))
    return Logic(at, operator, (left, right))
