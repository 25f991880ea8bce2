"""Reads HCL: blocks, attributes and expressions with their exact positions, using the tree-sitter
grammar for HCL (tree-sitter-hcl, Apache-2.0). JSON syntax (``.tf.json``) gives the same types.

The text may be hostile. Its size and the depth of blocks and expressions are bounded; anything
beyond that is reported as an error, or read as ``Unknown``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tree_sitter import Language, Node, Parser
from tree_sitter_hcl import language

from assessments.scan.documents import DocumentError, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 500_000
"""Parsing takes 1 s for a valid file of this size, and at most 4 s for the worst input found
(``"${`` repeated)."""
MAX_DEPTH = 40
LANGUAGE = Language(language())


@dataclass(frozen=True)
class Literal:
    """A string, number, bool or None as written."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class Reference:
    """``var.size`` is ("var", "size"); a literal index is a separate part, any other is ``*``:
    ``x.y[0].id`` is ("x", "y", "0", "id")."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class ListOf:
    items: tuple[Expression, ...]


@dataclass(frozen=True)
class MapOf:
    items: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True)
class Template:
    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Call:
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Conditional:
    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True)
class Operation:
    """One operand for ``!`` and ``-``, otherwise two."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class For:
    """``[for v in c : v if w]``, and with a ``key`` ``{for k, v in c : k => v}``. ``names`` are the
    loop's own; ``is_grouped`` is the ``...`` that collects values of equal keys."""

    names: tuple[str, ...]
    collection: Expression
    value: Expression
    key: Expression | None = None
    condition: Expression | None = None
    is_grouped: bool = False


@dataclass(frozen=True)
class Unknown:
    """Something not evaluated here (such as a splat); its references are kept."""

    operands: tuple[Expression, ...] = ()


Expression = (
    Literal | Reference | ListOf | MapOf | Template | Call | Conditional | Operation | For | Unknown
)


@dataclass(frozen=True)
class Attribute:
    """``start`` and ``end`` are the byte range of the expression in the file (0 and 0 in JSON)."""

    name: str
    expression: Expression
    line_start: int
    line_end: int
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Block:
    """``resource "aws_instance" "web" { ... }``; lines are 1-based and inclusive."""

    type: str
    labels: tuple[str, ...]
    line_start: int
    line_end: int
    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()


class HclError(DocumentError):
    """A file that is not HCL, with the line where the error shows."""


@dataclass(frozen=True)
class HclFile:
    """``error`` says where the file stops being HCL; whatever could be read is kept."""

    body: Block
    error: HclError | None = None


def read_hcl(text: str, *, path: str) -> HclFile:
    """Blocks and attributes of a Terraform or variables file. Raises HclError for a file over the
    limits, DocumentError for broken JSON."""
    if path.endswith(".json"):
        return HclFile(_json_body(read_json(text), text))
    source = text.encode()
    if len(source) > MAX_BYTES:
        raise HclError(f"It is larger than {MAX_BYTES:,} bytes, so it is not read.")
    root = Parser(LANGUAGE).parse(source).root_node
    error = _first_error(root) if root.has_error else None
    return HclFile(_block(root), error)


def references(expression: Expression) -> Iterator[tuple[str, ...]]:
    """Everything that ``expression`` refers to."""
    if isinstance(expression, Reference):
        yield expression.parts
    for operand in operands(expression):
        yield from references(operand)


def operands(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case ListOf(items):
            return items
        case MapOf(items):
            return tuple(part for pair in items for part in pair)
        case Template(parts):
            return parts
        case Call(_, arguments):
            return arguments
        case Conditional(condition, yes, no):
            return condition, yes, no
        case Operation(_, parts) | Unknown(parts):
            return parts
        case For(_, collection, value, key, when):
            return tuple(part for part in (collection, value, key, when) if part is not None)
        case _:
            return ()


def calls(block: Block) -> Iterator[tuple[Call, int]]:
    """Every function call within ``block``, with the line of its attribute."""
    for attribute in block.attributes.values():
        for call in _calls(attribute.expression):
            yield call, attribute.line_start
    for inner in block.blocks:
        yield from calls(inner)


def _calls(expression: Expression) -> Iterator[Call]:
    if isinstance(expression, Call):
        yield expression
    for operand in operands(expression):
        yield from _calls(operand)


def _first_error(root: Node) -> HclError:
    """The first error in reading order: descends into the first broken child each time."""
    node = root
    while not (node.is_error or node.is_missing):
        broken = [child for child in node.children if child.has_error or child.is_missing]
        if not broken:
            break
        node = broken[0]
    line = node.start_point[0] + 1
    if node.is_missing:
        return HclError(f"This is not valid HCL: '{node.type}' is missing.", line)
    return HclError("This is not valid HCL.", line)


def _block(node: Node, *, depth: int = 0) -> Block:
    heads = [child for child in node.children if child.type in {"identifier", "string_lit"}]
    names = [label_of(head) for head in heads] or [""]
    attributes: dict[str, Attribute] = {}
    blocks: list[Block] = []
    for body in node.children:
        if body.type != "body" or depth > MAX_DEPTH:
            continue
        for child in body.children:
            if child.type == "attribute" and (read := _attribute(child)):
                attributes[read.name] = read
            elif child.type == "block":
                blocks.append(_block(child, depth=depth + 1))
    return Block(
        type=names[0],
        labels=tuple(names[1:]),
        line_start=node.start_point[0] + 1,
        line_end=node.end_point[0] + 1,
        attributes=attributes,
        blocks=tuple(blocks),
    )


def label_of(node: Node) -> str:
    text = (node.text or b"").decode()
    return text.strip('"') if node.type == "string_lit" else text


def _attribute(node: Node) -> Attribute | None:
    name = next((child for child in node.children if child.type == "identifier"), None)
    value = next((child for child in node.children if child.type == "expression"), None)
    if name is None or value is None:
        return None
    return Attribute(
        name=label_of(name),
        expression=_expression(value, depth=0),
        line_start=node.start_point[0] + 1,
        line_end=value.end_point[0] + 1,
        start=value.start_byte,
        end=value.end_byte,
    )


def _expression(node: Node, *, depth: int) -> Expression:
    if depth > MAX_DEPTH or node.is_error:
        return Unknown()
    reader = _READERS.get(node.type)
    if reader is not None:
        return reader(node, depth + 1)
    inner = node.named_children
    if node.type in {"expression", "operation", "literal_value", "collection_value"} and inner:
        if inner[0].type == "variable_expr" or len(inner) > 1:
            return _traversal(inner, depth + 1)
        return _expression(inner[0], depth=depth + 1)
    return Unknown(_all(inner, depth))


def _all(nodes: list[Node], depth: int) -> tuple[Expression, ...]:
    return tuple(
        _expression(node, depth=depth + 1)
        for node in nodes
        if node.type != "comment" and not node.type.endswith(("_start", "_end"))
    )


def _traversal(nodes: list[Node], depth: int) -> Expression:
    """``var.x["k"].y``: a name followed by steps."""
    nodes = [node for node in nodes if node.type != "comment"]
    head, steps = nodes[0], nodes[1:]
    if not steps and head.type != "variable_expr":
        return _expression(head, depth=depth)
    if head.type != "variable_expr":
        return Unknown(_all(nodes, depth))
    parts = [(head.text or b"").decode()]
    for step in steps:
        if step.type == "get_attr":
            parts.append((step.text or b"").decode().lstrip(". \t\n"))
        elif step.type == "index":
            parts.append(_index(step, depth))
        else:
            parts.append("*")
    return Reference(tuple(parts))


def _index(node: Node, depth: int) -> str:
    inner = node.named_children[0] if node.named_children else node
    if inner.type != "new_index" or not inner.named_children:
        return "*"
    value = _expression(inner.named_children[0], depth=depth)
    return str(value.value) if isinstance(value, Literal) else "*"


def _string(node: Node, depth: int) -> Expression:
    """A quoted string or heredoc: a literal if it has no interpolation."""
    inner = node.named_children
    if inner and inner[0].type in {"quoted_template", "heredoc_template"}:
        node, inner = inner[0], inner[0].named_children
    quoted = node.type != "heredoc_template"
    parts: list[Expression] = []
    for child in inner:
        if child.type == "template_literal":
            text = (child.text or b"").decode(errors="replace")
            parts.append(Literal(_unescaped(text) if quoted else text))
        elif child.type == "template_interpolation":
            parts += _all(child.named_children, depth)
        elif child.type == "template_directive":
            parts.append(Unknown(_all(child.named_children, depth)))
    if all(isinstance(part, Literal) for part in parts):
        return Literal("".join(str(part.value) for part in parts if isinstance(part, Literal)))
    return Template(tuple(parts))


def _unescaped(text: str) -> str:
    if "\\" in text:
        try:
            text = str(json.loads(f'"{text}"'))
        except ValueError:
            return text
    return text.replace("$${", "${").replace("%%{", "%{")


def _number(node: Node, depth: int) -> Expression:
    text = (node.text or b"").decode()
    try:
        return Literal(int(text) if text.isdigit() and len(text) < 19 else float(text))
    except ValueError:
        return Unknown()


def _bool(node: Node, depth: int) -> Expression:
    return Literal((node.text or b"") == b"true")


def _null(node: Node, depth: int) -> Expression:
    return Literal(None)


def _name(node: Node, depth: int) -> Expression:
    return Reference(((node.text or b"").decode(),))


def _tuple(node: Node, depth: int) -> Expression:
    return ListOf(_all(node.named_children, depth))


def _object(node: Node, depth: int) -> Expression:
    pairs = [
        _all(element.named_children, depth)
        for element in node.named_children
        if element.type == "object_elem"
    ]
    return MapOf(tuple((_key(pair[0]), pair[1]) for pair in pairs if len(pair) == 2))


def _key(key: Expression) -> Expression:
    """``{ aws = ... }``: a bare name is a string there, but with dots it is a reference."""
    return Literal(key.parts[0]) if isinstance(key, Reference) and len(key.parts) == 1 else key


def _call(node: Node, depth: int) -> Expression:
    name = (node.named_children[0].text or b"").decode() if node.named_children else ""
    found = [child for child in node.named_children if child.type == "function_arguments"]
    return Call(name, _all(found[0].named_children, depth) if found else ())


def _conditional(node: Node, depth: int) -> Expression:
    parts = _all(node.named_children, depth)
    return Conditional(*parts) if len(parts) == 3 else Unknown(parts)


def _for(node: Node, depth: int) -> Expression:
    loop = node.named_children[0] if node.named_children else node
    intro = next((child for child in loop.children if child.type == "for_intro"), None)
    if intro is None:
        return Unknown(_all(node.named_children, depth))
    names = [label_of(child) for child in intro.named_children if child.type == "identifier"]
    results = _all([child for child in loop.children if child.type == "expression"], depth)
    over = _all([child for child in intro.children if child.type == "expression"], depth)
    tests = [child for child in loop.children if child.type == "for_cond"]
    when = _all(tests[0].named_children, depth) if tests else ()
    if not names or len(over) != 1 or len(results) not in {1, 2} or len(when) > 1:
        return Unknown((*over, *results, *when))
    return For(
        names=tuple(names),
        collection=over[0],
        value=results[-1],
        key=results[0] if len(results) == 2 else None,
        condition=when[0] if when else None,
        is_grouped=any(child.type == "ellipsis" for child in loop.children),
    )


def _operation(node: Node, depth: int) -> Expression:
    signs = [child.type for child in node.children if not child.is_named and child.type not in "()"]
    parts = _operands(node, depth)
    if signs and len(parts) in {1, 2}:
        return Operation(signs[0], parts)
    return parts[0] if len(parts) == 1 else Unknown(parts)


def _operands(node: Node, depth: int) -> tuple[Expression, ...]:
    """The operands of an operator: each may be a name with its steps as siblings."""
    groups: list[list[Node]] = []
    for child in node.named_children:
        if child.type == "comment":
            continue
        if child.type in {"get_attr", "index", "splat"} and groups:
            groups[-1].append(child)
        else:
            groups.append([child])
    return tuple(_traversal(group, depth + 1) for group in groups)


_READERS = {
    "string_lit": _string,
    "template_expr": _string,
    "quoted_template": _string,
    "numeric_lit": _number,
    "bool_lit": _bool,
    "null_lit": _null,
    "variable_expr": _name,
    "tuple": _tuple,
    "object": _object,
    "function_call": _call,
    "conditional": _conditional,
    "for_expr": _for,
    "binary_operation": _operation,
    "unary_operation": _operation,
}


def expression_of(value: Any, *, depth: int = 0) -> Expression:
    """A JSON value as an expression: strings are templates, as in Terraform's JSON syntax."""
    if depth > MAX_DEPTH:
        return Unknown()
    if isinstance(value, dict):
        pairs = ((Literal(key), expression_of(v, depth=depth + 1)) for key, v in value.items())
        return MapOf(tuple(pairs))
    if isinstance(value, list):
        return ListOf(tuple(expression_of(item, depth=depth + 1) for item in value))
    if not isinstance(value, str) or ("${" not in value and "%{" not in value):
        return Literal(value)
    if len(value) > MAX_BYTES // 10:
        return Unknown()
    whole = _template(value)
    if isinstance(whole, Template) and len(whole.parts) == 1:
        return whole.parts[0]
    return whole


def _template(text: str) -> Expression:
    # In JSON the expression's own quotes are already unescaped, so a heredoc takes it whole.
    source = f"x = <<IM_JSON_TEXT\n{text}\nIM_JSON_TEXT\n"
    root = Parser(LANGUAGE).parse(source.encode()).root_node
    if root.has_error:
        return Unknown()
    attribute = _block(root).attributes.get("x")
    return attribute.expression if attribute else Unknown()


def _json_body(value: Any, text: str) -> Block:
    """JSON syntax: ``{"resource": {"type": {"name": {...}}}}`` as blocks. It has no lines of its
    own, so each block gets the line where its name first occurs."""
    blocks: list[Block] = []
    attributes: dict[str, Attribute] = {}
    for kind, content in value.items() if isinstance(value, dict) else ():
        depth = _JSON_LABELS.get(kind)
        if depth is None:
            line = _mention(text, str(kind))
            attributes[kind] = Attribute(kind, expression_of(content), line, line)
            continue
        for labels, fields in _labelled(content, depth):
            line = _mention(text, labels[-1] if labels else kind)
            blocks.append(_json_block(kind, labels, fields, line, text))
    last = text.count("\n") + 1
    return Block("", (), 1, last, attributes, tuple(blocks))


def _json_block(kind: str, labels: tuple[str, ...], fields: Any, line: int, text: str) -> Block:
    pairs = fields.items() if isinstance(fields, dict) else ()
    attributes = {
        str(name): Attribute(
            str(name),
            expression_of(item),
            found := max(line, _mention(text, str(name), after=line)),
            found,
        )
        for name, item in pairs
    }
    return Block(kind, labels, line, line, attributes)


_JSON_LABELS = {
    "resource": 2,
    "data": 2,
    "module": 1,
    "variable": 1,
    "output": 1,
    "provider": 1,
    "locals": 0,
    "terraform": 0,
}


def _labelled(content: Any, depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, list):
        for item in content:
            yield from _labelled(item, depth)
    elif depth == 0:
        yield (), content
    elif isinstance(content, dict):
        for name, item in content.items():
            for labels, fields in _labelled(item, depth - 1):
                yield (str(name), *labels), fields


def _mention(text: str, name: str, *, after: int = 1) -> int:
    offset = 0
    for _ in range(after - 1):
        offset = text.find("\n", offset) + 1
    place = text.find(f'"{name}"', offset)
    return text.count("\n", 0, place) + 1 if place >= 0 else after
