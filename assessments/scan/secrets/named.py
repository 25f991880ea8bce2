"""Names with the literal values that a file gives them: ``password = "..."`` in every language that
infrastructure is written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assessments.scan.secrets.grammar import Grammar
from assessments.scan.secrets.names import holds

MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Named:
    """``value`` at ``start`` of the text, under ``name``. ``place`` is ``manifest`` for an entry
    of a Kubernetes Secret and ``script`` for a line of a script within another file."""

    name: str
    value: str
    start: int
    is_quoted: bool
    place: str = ""


def named_in(text: str, grammar: Grammar) -> Iterator[Named]:
    """Each name that may hold a secret (and each entry of a Kubernetes Secret), in no order."""
    if grammar is Grammar.JSON:
        yield from _in_json(text)
    elif grammar is Grammar.HCL:
        yield from _in_hcl(text)
    elif grammar is Grammar.YAML:
        yield from _in_yaml(text)
        yield from _pairs(text)
    elif grammar in {Grammar.SETTINGS, Grammar.CODE, Grammar.XML}:
        for start, line in _lines(text):
            yield from _on_line(line, start, grammar)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line.rstrip("\r")
        start += len(line) + 1


def _on_line(line: str, start: int, grammar: Grammar, *, place: str = "") -> Iterator[Named]:
    """Assignments, options of commands, and statements on one line."""
    if not _HINT.search(line) or _COMMENT.match(line):
        return
    bare = grammar is Grammar.SETTINGS
    for match in ASSIGNMENT.finditer(line):
        value = unquoted(match["value"])
        quoted = value != match["value"]
        if (quoted or bare) and holds(match["key"]) and not value.startswith("{"):
            yield Named(match["key"], value, start + match.start("value") + quoted, quoted, place)
        elif quoted and not place:
            yield from _script(value, start + match.start("value") + 1)
    if bare:
        for pattern in (_OPTION, _ENV_LINE, _WHOLE_LINE, _STATEMENT, _CURL):
            for match in pattern.finditer(line):
                value = unquoted(match["value"])
                quoted = value != match["value"]
                name = match.groupdict().get("key") or "password"
                if holds(name):
                    yield Named(name, value, start + match.start("value") + quoted, quoted, place)
    if grammar is Grammar.XML:
        for match in _ELEMENT.finditer(line):
            if holds(match["key"]):
                yield Named(match["key"], match["value"], start + match.start("value"), True, place)


def _script(value: str, start: int) -> Iterator[Named]:
    """The lines of a quoted string; escapes are replaced by blanks of the same length."""
    if len(value) > 8 and _MAY_ASSIGN.search(value):
        script = value.replace('\\"', ' "').replace("\\n", " \n")
        for offset, line in _lines(script):
            yield from _on_line(line, start + offset, Grammar.SETTINGS, place="script")


def _in_hcl(text: str) -> Iterator[Named]:
    """A variable's default is named after the variable; a heredoc's lines belong to a script."""
    variable, heredoc = "", ""
    for start, line in _lines(text):
        if heredoc:
            if line.strip() == heredoc:
                heredoc = ""
            else:
                yield from _on_line(line, start, Grammar.SETTINGS, place="script")
            continue
        if block := _HCL_BLOCK.match(line):
            variable = block["name"] if block["type"] in {"variable", "output"} else ""
        if variable and (default := _HCL_DEFAULT.search(line)) and holds(variable):
            yield Named(
                variable, unquoted(default["value"]), start + default.start("value") + 1, True
            )
        else:
            yield from _on_line(line, start, Grammar.HCL)
        if opened := _HEREDOC.search(line):
            heredoc = opened["word"]


def _in_yaml(text: str) -> Iterator[Named]:
    """Keys are tracked with their parents, by indentation: a parameter's ``Default`` is named after
    the parameter, and anything under a Secret's ``data`` is one of its values."""
    parents: list[tuple[int, str]] = []
    is_secret = False
    secrets = _secret_documents(text)
    block_indent = -1
    for start, line in _lines(text):
        if line.startswith("---"):
            parents, block_indent = [], -1
            continue
        stripped = line.strip()
        if not stripped or (stripped[0] == "#" and block_indent < 0):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if block_indent >= 0 and indent > block_indent:
            yield from _on_line(line, start, Grammar.SETTINGS, place="script")
            continue
        block_indent = -1
        match = _YAML_KEY.match(line)
        if match is None:
            yield from _on_line(line, start, Grammar.SETTINGS)
            continue
        column = match.start("key")
        while parents and parents[-1][0] >= column:
            parents.pop()
        key, value = match["key"].strip("\"'"), match["value"] or ""
        if _BLOCK_SCALAR.match(value):
            block_indent = column
        is_secret = any(first <= start < last for first, last in secrets)
        parent = parents[-1][1] if parents else ""
        if value:
            at = start + match.start("value")
            yield from _yaml_entry(key, value, at, parent, is_secret=is_secret)
        if len(parents) < MAX_DEPTH:
            parents.append((column, key))


def _yaml_entry(
    key: str, value: str, start: int, parent: str, *, is_secret: bool
) -> Iterator[Named]:
    value = _without_comment(value)
    plain = unquoted(value)
    quoted = plain != value
    in_secret = is_secret and parent in {"data", "stringData"}
    name = parent if key.lower() in _DEFAULTS and holds(parent) else key
    if in_secret and plain and not _BLOCK_SCALAR.match(value):
        yield Named(key, plain, start + quoted, quoted, "manifest")
    elif holds(name) and not plain.startswith(("[", "{")):
        yield Named(name, plain, start + quoted, quoted)
    elif _MAY_ASSIGN.search(value):
        yield from _on_line(plain, start + quoted, Grammar.SETTINGS, place="script" * quoted)


def _secret_documents(text: str) -> list[tuple[int, int]]:
    """Where the YAML documents of kind Secret are."""
    found, start = [], 0
    for separator in [*re.finditer(r"^---", text, re.MULTILINE), None]:
        end = separator.start() if separator else len(text)
        if re.search(r"^\s*-?\s*kind:\s*[\"']?Secret[\"']?\s*$", text[start:end], re.MULTILINE):
            found.append((start, end))
        start = end
    return found


def _pairs(text: str) -> Iterator[Named]:
    """``name`` and ``value`` on separate lines, as in containers' variables."""
    for match in NAME_VALUE.finditer(text):
        value = unquoted(match["value"])
        quoted = value != match["value"]
        if holds(match["key"]):
            yield Named(match["key"], value, match.start("value") + quoted, quoted)


def _in_json(text: str) -> Iterator[Named]:
    """Strings with the key they are under. A ``value`` or ``default`` is named after its parent,
    and in a ``name``/``value`` pair after the name."""
    is_secret = re.search(r'"kind"\s*:\s*"Secret"', text) is not None
    stack: list[str] = []
    objects: list[dict[str, tuple[str, int]]] = []
    key = ""
    for token in _JSON_TOKEN.finditer(text):
        mark = token[0]
        if mark in "{[":
            if len(stack) >= MAX_DEPTH:
                return
            stack.append(key)
            objects.append({})
            key = ""
        elif mark in "}]":
            if stack:
                stack.pop()
                yield from _json_pair(objects.pop())
            key = ""
        elif token["colon"]:
            key = token["string"][1:-1]
        elif token["string"]:
            value, start = token["string"][1:-1], token.start("string") + 1
            parent = stack[-1] if stack else ""
            yield from _json_entry(key, value, start, parent, is_secret=is_secret)
            if objects and key.lower() in _PAIR_KEYS:
                objects[-1][key.lower()] = (value, start)
            key = ""


def _json_entry(
    key: str, value: str, start: int, parent: str, *, is_secret: bool
) -> Iterator[Named]:
    name = parent if key.lower() in _DEFAULTS and holds(parent) else key
    if is_secret and parent in {"data", "stringData"}:
        yield Named(key, value, start, True, "manifest")
    elif holds(name) and not value.startswith("{"):
        yield Named(name, value, start, True)
    else:
        yield from _script(value, start)


def _json_pair(values: dict[str, tuple[str, int]]) -> Iterator[Named]:
    for name, value in _PAIRS:
        if name in values and value in values and holds(values[name][0]):
            yield Named(values[name][0], *values[value], True)


def unquoted(value: str) -> str:
    """``value`` without the quotes around it."""
    if len(value) >= 2 and value[0] in "\"'" and value[-1] == value[0]:
        return value[1:-1]
    return value


def _without_comment(value: str) -> str:
    value = value.strip()
    if value[:1] in {'"', "'"}:
        end = value.find(value[0], 1)
        return value[: end + 1] if end > 0 else value
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip()


ASSIGNMENT = re.compile(
    r"""(?<![\w.$:])(?<!\w-)(?P<key>[A-Za-z_][\w.-]{0,80})"""
    r"""(?P<op>["'\]]{0,2}(?::[ ]?[A-Za-z][\w.\[\]]{0,30}(?=[ ]?=[ ]?["']))?"""
    r"""[ \t]{0,40}(?::=|=>|=(?![:=~])|:(?![:=~?]))[ \t]{0,40})"""
    r"""(?P<value>"(?:[^"\\\n]|\\.){0,4000}+"|'[^'\n]{0,4000}+'|[^\s"',;}\])]{1,4000}+)"""
)
"""``key = value`` and similar. The value is quoted, or runs to the next blank or bracket.
``${KEY:?words}`` doesn't match: Compose and shells print the words if KEY is not set."""
NAME_VALUE = re.compile(
    r"""\b(?:name|ParameterKey)["']?\s{0,9}[:=]\s{0,9}["']?(?P<key>[\w.-]{1,80})["']?[\s,-]{0,99}+["']?"""
    r"""(?:value|ParameterValue)["']?[ \t]{0,9}[:=][ \t]{0,9}"""
    r"""(?P<value>"(?:[^"\\\n]|\\.){1,4000}+"|'[^'\n]{1,4000}+'|[^\s"',;#}\]]{1,4000}+)""",
    re.IGNORECASE,
)
_HINT = re.compile(
    r"pass|pwd|secret|token|key|cred|auth|bearer|conn|identified|psw|curl", re.IGNORECASE
)
"""A cheap filter: a line without any of these names no secret."""
_MAY_ASSIGN = re.compile(r"[=:]|--?\w")
_COMMENT = re.compile(r"\s*(?:#|//|/\*|\*|--\s|;|rem\s|<!--)", re.IGNORECASE)
_VALUE = r"""(?P<value>"[^"\n]{1,400}+"|'[^'\n]{1,400}+'|[^\s"';|&)<>]{1,400}+)"""
_OPTION = re.compile(
    r"(?<![\w-])--?(?:[\w.]{1,30}-){0,4}"
    r"(?P<key>password|passwd|passphrase|token|secret|api-key|pass)[ \t]{1,9}(?![-=])" + _VALUE
)
_ENV_LINE = re.compile(rf"^\s*(?:ENV|setx)\s+(?P<key>\w{{1,80}})[ \t]+(?![=]){_VALUE}")
_WHOLE_LINE = re.compile(
    r"^\s*(?:-\s+|export\s+|set\s+|ENV\s+|ARG\s+)?(?P<key>[A-Za-z_][\w.]{0,80})="
    r"(?P<value>[^\s\"'`][^\s\"'`]{0,4000}+)\s*$"
)
_STATEMENT = re.compile(
    r"\b(?:(?:create|alter|grant)\s[^\n]{0,200}?\sidentified\s+(?:with\s+\w+\s+)?by"
    r"|identified\s+(?:with\s+\w+\s+)?by(?=\s*[\"'])"
    r"|with\s+(?:encrypted\s+)?password|sshpass\s+-p)\s*" + _VALUE,
    re.IGNORECASE,
)
"""``identified by`` is also plain English: it takes a quote, or a statement about a user."""
_CURL = re.compile(
    r"\bcurl\b[^\n|]{0,200}?\s(?:-u|--user)[ =]?[\"']?[\w.@-]{1,80}:"
    r"(?P<value>(?!\$)[^\s\"'$]{3,100})"
)
_ELEMENT = re.compile(r"<(?P<key>[\w.-]{1,80})>(?P<value>[^<>\n]{1,400})</(?P=key)>")
_HCL_BLOCK = re.compile(r'(?P<type>[a-z]+)\s+"(?P<name>[^"]{1,100})"')
_HCL_DEFAULT = re.compile(
    r'(?:^|[\s{])(?:default|value)\s*=\s*(?P<value>"(?:[^"\\\n]|\\.){0,4000}+")'
)
_HEREDOC = re.compile(r"<<[-~]?[\"']?(?P<word>\w{1,40})[\"']?\s*$")
_YAML_KEY = re.compile(
    r"""\s*(?:-\s+)*(?P<key>"[^"\n]{1,200}"|'[^'\n]{1,200}'|[\w.$/-]{1,200})\s*:(?:\s+(?P<value>.*)|(?P<none>)$)"""
)
_BLOCK_SCALAR = re.compile(r"[|>][-+\d]{0,2}\s*(?:#.*)?$")
_DEFAULTS = {"default", "value", "defaultvalue", "initialvalue"}
_PAIR_KEYS = {"name", "value", "parameterkey", "parametervalue", "key"}
_PAIRS = (("name", "value"), ("parameterkey", "parametervalue"), ("key", "value"))
_JSON_TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*+")(?P<colon>\s*:)?|[{}\[\]]')
