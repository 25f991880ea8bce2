"""Whether the value that a failed check rests on is known at all.

Checkov fails what it can't work out: a variable without a default, ``each.value.x``, a module's
output, a parameter. Such a value is still an expression in the configuration that Checkov has
evaluated, at the key that the check names; one that was worked out is a literal there.

Standard library only, as it runs in the scanner's interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

MAX_CHARS = 1_000
MAX_SHOWN = 200
MAX_KEYS = 20
MAX_DEPTH = 12
SELECTORS = frozenset(
    {"name", "engine", "family", "databaseversion", "accountkind", "kind", "resourcetype"}
)
"""What checks read to decide whether they apply: not what decides, unless it is all they read
(``scan/focus.py``)."""
_MISSING = object()
_INDEX = re.compile(r"^\[?(\d+)\]?$")

_PROVIDERS = "alicloud|aws|azapi|azuread|azurerm|digitalocean|github|google|kubernetes|oci|random"
_REFERENCE = re.compile(
    r"(?<![\w.\"'/:@-])(?:(?:var|local|module|data|each|count|self)\.[A-Za-z_]"
    rf"|(?:{_PROVIDERS})_\w+\.\w)(?:[\w-]|\.(?=[\w*])|\[[^\[\]]{{0,100}}\]|\*)*"
)
_CALL = re.compile(
    r"!?(?:can|coalesce|contains|element|index|keys|length|lookup|lower|max|min|one|setunion|tobool"
    r"|tolist|tonumber|toset|tostring|trimspace|try|upper|values)\(.*\)(?:\[[^\[\]]*\]|\.\w+)*$"
)
"""Functions that return (a part of) what they are given. Those that put text together are not
among them: what is known of the text may be what failed."""
_FOR = re.compile(r"\[\s*for\s.+\]$|\{\s*for\s.+\}$")
_OPERATION = re.compile(
    r"(?:[!(\"\d]|[a-z_]+[.(]|(?:true|false|null)\s).*\s(?:==|!=|&&|\|\||[<>]=?|\?)\s"
)

_FUNCTIONS = frozenset({"Ref", "Fn::GetAtt", "Fn::ImportValue"})
_ARM = re.compile(r"\[(?!\[)\s*(?P<function>[\w.]+)\(\s*(?:'(?P<name>[\w.-]+)'\s*\))?.*\]$")
_TEXT_FUNCTIONS = frozenset(
    {"concat", "format", "replace", "base64", "createarray", "createobject"}
)
_WORD = re.compile(r"[A-Za-z_][\w.]*")


def open_value(configuration: Any, keys: Iterable[Any], *, framework: str) -> str:
    """The expression whose value a failed check would have needed, such as ``var.public``; empty
    if what failed is known.

    ``keys`` are the paths in ``configuration`` that the check names. An attribute that is absent is
    a fact about the code. One known value among them is taken for the cause.
    """
    found = ""
    paths = [str(key) for key in keys][:MAX_KEYS]
    if any("*" in path or "[?" in path for path in paths):
        return ""
    deciding = [path for path in paths if not _is_selector(path)]
    for path in deciding or paths:
        if any(other.startswith(f"{path.rstrip('/')}/") for other in paths if other != path):
            continue  # A block that is there because of what is in it.
        names = [name for name in path.split("/") if name]
        value = _at(configuration, names, framework) if names else _MISSING
        if value is _MISSING:
            continue
        expression = _expression(value, framework)
        if not expression:
            return ""
        found = found or expression
    return found[:MAX_SHOWN]


def stays_open(expression: str, configuration: Any, definitions: Any) -> bool:
    """Whether nothing in the upload settles ``expression``: what Checkov can't work out may still
    have a default, or be one of a list that is there. ``definitions`` are the files it has read."""
    if expression.startswith("each."):
        found = configuration.get("for_each") if isinstance(configuration, dict) else None
        # Checkov takes a map without a default for an empty one.
        return found in ([{}], [[]], {}, []) or bool(_expression(found, "terraform"))
    if expression.startswith(("local.", "count.", "self.", "variables(")):
        return False
    return not any(
        _settles(expression, definition)
        for definition in (definitions.values() if isinstance(definitions, dict) else ())
        if isinstance(definition, dict)
    )


def _settles(expression: str, definition: dict[str, Any]) -> bool:
    if expression.startswith("var."):
        name = re.split(r"[.\[]", expression)[1]
        blocks = [b for b in definition.get("variable") or () if isinstance(b, dict)]
        return any("default" in (block.get(name) or {}) for block in blocks)
    if expression.startswith("Ref "):
        return _has(definition.get("Parameters"), expression.removeprefix("Ref "), "Default")
    if expression.startswith("parameters("):
        return _has(definition.get("parameters"), expression[12:-2], "defaultValue")
    name = expression.partition(".")[0]
    return _has(definition.get("parameters"), name, "default") or (
        isinstance(definition.get("variables"), dict) and name in definition["variables"]
    )


def _has(declared: Any, name: str, default: str) -> bool:
    found = declared.get(name) if isinstance(declared, dict) else None
    return isinstance(found, dict) and found.get(default) is not None


def _is_selector(path: str) -> bool:
    names = [name for name in path.split("/") if name and not _INDEX.match(name)]
    return bool(names) and names[-1].replace("_", "").lower() in SELECTORS


def _at(configuration: Any, names: Sequence[str], framework: str) -> Any:
    """The value at a path, or the expression on the way to it. Bicep keeps a resource's settings
    under ``config``, and under another one if it is made in a loop."""
    value = _follow(configuration, names, framework)
    for _ in range(2 if framework == "bicep" else 0):
        if value is _MISSING and isinstance(configuration, dict):
            configuration = configuration.get("config")
            value = _follow(configuration, names, framework)
    return value


def _follow(value: Any, names: Sequence[str], framework: str) -> Any:
    for name in names[:MAX_DEPTH]:
        if _expression(value, framework):
            return value
        index = _INDEX.match(name)
        if index and not (isinstance(value, dict) and name in value):
            if isinstance(value, list):
                if int(index[1]) >= len(value):
                    return _MISSING
                value = value[int(index[1])]
            continue
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict) or name not in value:
            return value if _expression(value, framework) else _MISSING
        value = value[name]
    return _MISSING if value is None or value == [None] else value


def _expression(value: Any, framework: str, depth: int = 0) -> str:
    """What ``value`` refers to; empty if it, or a part of it, is known. A list is open if all its
    items are."""
    if isinstance(value, list):
        inside = value if depth < MAX_DEPTH else []
        found = [_expression(each, framework, depth + 1) for each in inside]
        return found[0] if found and all(found) else ""
    if framework == "cloudformation":
        return _of_function(value) if isinstance(value, dict) else ""
    if not isinstance(value, str) or len(value) > MAX_CHARS:
        return ""
    if framework == "bicep":
        # Text and names are the same to Python; Checkov's parser gives names a type of their own.
        word = _WORD.match(value) if type(value).__name__ == "BicepElement" else None
        return word[0] if word else ""
    return _of_arm(value) if framework == "arm" else _of_terraform(value)


def _of_terraform(text: str) -> str:
    """The first reference of an expression. Text that contains references is not one: what is
    known of it may be what failed."""
    text = text.strip()
    if text.startswith("${") and text.endswith("}"):
        text = text[2:-1].strip()
    if "${" in text or "\n" in text:
        return ""
    reference = _REFERENCE.search(text)
    if reference is None:
        return ""
    is_whole = reference[0] == text.lstrip("!( ").rstrip(") ")
    is_expression = _CALL.match(text) or _FOR.match(text) or _OPERATION.match(text)
    return reference[0] if is_whole or is_expression else ""


def _of_function(value: dict[Any, Any]) -> str:
    """``Ref Public``, ``Fn::GetAtt Key.Arn``; a reference to no value is an absent one."""
    names = [str(key) for key in value if not str(key).startswith("__")]
    if len(names) != 1 or names[0] not in _FUNCTIONS:
        return ""
    argument = value[names[0]]
    if argument == "AWS::NoValue":
        return ""
    words = argument if isinstance(argument, list) else [argument]
    about = [word for word in words[:2] if isinstance(word, str)]
    return " ".join([names[0], ".".join(about)]).strip()


def _of_arm(text: str) -> str:
    """``parameters('public')``, or the name of a function."""
    match = _ARM.match(text.strip())
    if match is None or match["function"].lower() in _TEXT_FUNCTIONS:
        return ""
    return f"{match['function']}('{match['name']}')" if match["name"] else f"{match['function']}()"
