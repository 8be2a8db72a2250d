"""Whatever a DDL says, the client made of it is a module of the shape that we wrote."""

from __future__ import annotations

import ast
import keyword

from hypothesis import given, settings
from hypothesis import strategies as st

from choria.ddl import ActionDDL, AgentDDL, InputItem, Metadata, OutputItem
from choria.ddl.python import client_module

NASTY = [
    '"""', "'''", '"""\nimport os\n"""', "\\", "\\\"\"\"", "\n    pass\n", "# comment", "{x}", "%s",
    "\u202eevil", "\x00", "\r", "\u2028", "Args:", "a" * 300, "ünïcode", "\\N{BULLET}", "",
]  # fmt: skip
NAMES = [
    "class", "None", "match", "type", "self", "where", "options", "inputs", "__init__", "_fleet", "list",
    "str", "a-b", "a b", "a.b", "a_b", "1st", "", "é", "Any", "os.system('x')", "print", "__class__", "_", "x_",
]  # fmt: skip
texts = st.sampled_from(NASTY) | st.text(max_size=40)
names = st.sampled_from(NAMES) | st.text(min_size=1, max_size=12)
types = st.sampled_from(
    ["string", "integer", "float", "number", "boolean", "hash", "array", "list", "any", "odd"]
)
values = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats()
    | texts
    | st.just([1])
    | st.just({})
)


inputs = st.builds(
    InputItem,
    name=names, type=types, prompt=texts, description=texts, optional=st.booleans(), default=values,
    validation=st.sampled_from(["", "shellsafe", ".", r"^\d+$"]), maxlength=st.integers(0, 9),
    choices=st.lists(values, max_size=4).map(tuple),
)  # fmt: skip
outputs = st.builds(OutputItem, name=names, display_as=texts, description=texts, type=types)
actions = st.builds(
    ActionDDL,
    name=names, description=texts,
    inputs=st.lists(inputs, max_size=4).map(lambda items: {item.name: item for item in items}),
    outputs=st.lists(outputs, max_size=4).map(lambda items: {item.name: item for item in items}),
)  # fmt: skip
ddls = st.builds(
    # Values and not a document: the reader refuses some of these names, and nothing here counts on it.
    lambda description, version, found: AgentDDL(
        metadata=Metadata(name="nasty", description=description, version=version),
        actions={action.name: action for action in found},
    ),
    texts,
    texts,
    st.lists(actions, max_size=4),
)


ALLOWED = (ast.Expr, ast.ImportFrom, ast.Assign, ast.ClassDef)


@given(ddls)
@settings(deadline=None)
def test_a_client_compiles_and_holds_nothing_but_what_we_wrote(ddl: AgentDDL) -> None:
    source = client_module(ddl)
    source.encode()
    compile(source, "client.py", "exec")
    module = ast.parse(source)
    assert all(isinstance(node, ALLOWED) for node in module.body)
    assert all(_is_text(node.value) for node in module.body if isinstance(node, ast.Expr))
    imports = {node.module for node in module.body if isinstance(node, ast.ImportFrom)}
    assert imports <= {
        "__future__", "collections.abc", "typing", "choria.api", "choria.api.blocking",
    }  # fmt: skip
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    clients = [node for node in classes if node.name.endswith("Client")]
    assert [node.name for node in clients] == ["NastyClient", "BlockingNastyClient"]
    for client in clients:
        _check_methods(client, ddl)
    defined = [node.name for node in classes] + [
        target.id
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert len(set(defined)) == len(defined)


def _check_methods(client: ast.ClassDef, ddl: AgentDDL) -> None:
    document, *methods = client.body
    assert isinstance(document, ast.Expr)
    assert _is_text(document.value)
    functions = [node for node in methods if isinstance(node, ast.FunctionDef)]
    assert len(functions) == len(methods) == len(ddl.actions) + 1
    names = [function.name for function in functions]
    assert names[0] == "__init__"
    assert len(set(names)) == len(names)
    for function, action in zip(functions[1:], sorted(ddl.actions), strict=True):
        assert function.name.isascii()
        assert not function.name.startswith("_")
        assert not keyword.iskeyword(function.name)
        parameters = [each.arg for each in function.args.kwonlyargs]
        assert len(parameters) == len(ddl.actions[action].inputs) + 2
        assert parameters[-2:] == ["where", "options"]
        _check_body(function, action)


def _check_body(function: ast.FunctionDef, action: str) -> None:
    """A docstring, the inputs, and one call that names agent and action as the DDL does."""
    document, given_inputs, returned = function.body
    assert isinstance(document, ast.Expr)
    assert _is_text(document.value)
    assert isinstance(given_inputs, ast.AnnAssign)
    assert isinstance(given_inputs.value, ast.Dict)
    assert all(isinstance(value, ast.Name) for value in given_inputs.value.values)
    assert isinstance(returned, ast.Return)
    assert isinstance(returned.value, ast.Call)
    kind, agent, named, passed = returned.value.args
    assert isinstance(kind, ast.Name)
    assert isinstance(passed, ast.Name)
    assert (ast.literal_eval(agent), ast.literal_eval(named)) == ("nasty", action)
    for default in (*function.args.kw_defaults, *function.args.defaults):
        assert default is None or isinstance(default, ast.Constant | ast.Name | ast.UnaryOp)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
