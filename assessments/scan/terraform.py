"""One Terraform root and the modules it calls: how many instances each resource has, through which
provider, in which region, and which modules are not in the upload.

This is about structure. How resources are configured is left to tfparse and Checkov.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from assessments.scan.hcl import (
    Attribute,
    Block,
    Expression,
    Literal,
    MapOf,
    Reference,
)
from assessments.scan.hcl_values import (
    UNKNOWN,
    Budget,
    each_instances,
    evaluate,
    instances,
    step_into,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.scan.installed import Copy

MAX_EXPANSIONS = 500
"""Module instances of one root. Nested local modules of 30 x 30 x 30 kept an engine busy for over
150 s; real roots have a few dozen."""
MAX_COUNT = 100
"""Copies of one block that are listed individually. tfparse takes 28 s for 5,000 (measured), so
0.6 s for this many."""
MAX_STEPS = 2_000_000
"""For evaluating all expressions of one root: about 2 s."""
MAX_MODULE_DEPTH = 20
_KEPT = {
    "resource": {"count", "for_each", "provider"},
    "data": {"count", "for_each", "provider"},
    "variable": {"default"},
}
_WHOLE = {"module", "locals", "provider"}
LOCAL = ("./", "../")


class TooManyModules(Exception):
    """A root whose modules expand to more than MAX_EXPANSIONS instances."""


@dataclass(frozen=True)
class Module:
    """One ``module`` block. ``folder`` is where its source is in the upload, normalized; None
    if it comes from a registry or a repository. ``start`` and ``end`` are the byte range of the
    source; ``version`` is as written, empty if it is not literal."""

    name: str
    source: str
    folder: str | None
    line: int
    version: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Missing:
    """A module that can't be followed: where it is called and why it is missing."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True)
class Facts:
    """About one resource block: where it is; ``total`` is the minimum number of its instances over
    all instances of its module. ``open_blocks`` are its ``dynamic`` blocks whose number can't be
    determined."""

    path: str
    line: int
    count_known: bool
    region: str
    provider_alias: str
    total: int
    open_blocks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counted:
    """The ``count`` or ``for_each`` of a block: ``start`` and ``end`` are its byte range in the
    file, ``number`` is how many instances it gives, None if that can't be determined, and
    ``first`` are the first MAX_COUNT items of the collection."""

    path: str
    line: int
    start: int
    end: int
    name: str
    number: int | None
    first: Any = None


@dataclass(frozen=True)
class Installed:
    """A call that leads to an installed copy in ``folder``: where it is, and what it calls."""

    path: str
    module: Module
    folder: str


@dataclass
class Root:
    """What was learned by following a root. ``resources`` is by address without indexes;
    ``counted`` is by path and start, ``installed`` by path and line."""

    resources: dict[str, Facts] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)
    counted: dict[tuple[str, int], Counted] = field(default_factory=dict)
    installed: dict[tuple[str, int], Installed] = field(default_factory=dict)
    expansions: int = 0

    @property
    def total(self) -> int:
        return sum(facts.total for facts in self.resources.values())


def outline(body: Block) -> Block:
    """``body`` reduced to what this module needs from it, so that thousands of files fit in
    memory."""
    return Block(
        type="",
        labels=(),
        line_start=body.line_start,
        line_end=body.line_end,
        attributes=body.attributes,
        blocks=tuple(
            block if block.type in _WHOLE else _pruned(block, _KEPT[block.type])
            for block in body.blocks
            if block.type in _WHOLE or block.type in _KEPT
        ),
    )


def _pruned(block: Block, kept: set[str]) -> Block:
    attributes = {name: each for name, each in block.attributes.items() if name in kept}
    dynamic = tuple(_pruned(each, {"for_each"}) for each in block.blocks if each.type == "dynamic")
    return Block(block.type, block.labels, block.line_start, block.line_end, attributes, dynamic)


def modules_of(body: Block, *, path: str) -> Iterator[Module]:
    """The modules that a file calls."""
    for block in body.blocks:
        source = block.attributes.get("source")
        if block.type != "module" or not block.labels or source is None:
            continue
        written = _text(source)
        yield Module(
            name=block.labels[0],
            source=written,
            folder=local_folder(written, path=path),
            line=source.line_start,
            version=_text(block.attributes.get("version")),
            start=source.start,
            end=source.end,
        )


def _text(attribute: Attribute | None) -> str:
    """A literal string; empty for anything else."""
    expression = attribute.expression if attribute else None
    value = expression.value if isinstance(expression, Literal) else None
    return value if isinstance(value, str) else ""


def local_folder(source: str, *, path: str) -> str | None:
    """The folder that a local source names, relative to the upload (``..`` leads out of it); None
    for others."""
    if source not in {".", ".."} and not source.startswith((*LOCAL, "/", "~", "file:")):
        return None
    if source.startswith(("/", "~", "file:")):
        return "/" + source.lstrip("/")
    folder = posixpath.normpath(posixpath.join(posixpath.dirname(path), source.split("//")[0]))
    return "" if folder == "." else folder


def follow(
    root: str,
    *,
    files: Mapping[str, Mapping[str, Block]],
    variables: Iterable[Block] = (),
    copies: Mapping[str, Copy] | None = None,
) -> Root:
    """Walk from the root folder through its modules. ``files`` maps folder to path to outline;
    ``variables`` are variable files in the order in which they apply; ``copies`` are the root's
    installed modules. Raises TooManyModules."""
    walk = _Walk(files, copies or {})
    given: dict[str, Any] = {}
    for body in variables:
        for name, attribute in body.attributes.items():
            given[name] = evaluate(attribute.expression, _nothing, budget=walk.budget)
    walk.enter(root, prefix="", inputs=given, providers={}, times=1, sure=True, chain=())
    return walk.root


def _nothing(parts: tuple[str, ...]) -> Any:
    return UNKNOWN


class Names:
    """The variables and locals of one module, evaluated on demand."""

    def __init__(self, blocks: list[Block], inputs: Mapping[str, Any], budget: Budget) -> None:
        self.budget = budget
        self.values: dict[tuple[str, str], Any] = {}
        self.waiting: dict[tuple[str, str], Expression] = {}
        for block in blocks:
            if block.type == "locals":
                for name, attribute in block.attributes.items():
                    self.waiting["local", name] = attribute.expression
            elif block.type == "variable" and block.labels:
                name = block.labels[0]
                default = block.attributes.get("default")
                if name in inputs:
                    self.values["var", name] = inputs[name]
                elif default is not None:
                    self.waiting["var", name] = default.expression

    def lookup(self, parts: tuple[str, ...]) -> Any:
        key = parts[:2]
        if len(key) < 2:
            return UNKNOWN
        known = (key[0], key[1])
        if known in self.waiting:
            expression = self.waiting.pop(known)
            # A local that refers to itself finds nothing.
            self.values[known] = UNKNOWN
            self.values[known] = evaluate(expression, self.lookup, budget=self.budget)
        return step_into(self.values.get(known, UNKNOWN), parts[2:])

    def value(self, attribute: Attribute | None) -> Any:
        if attribute is None:
            return UNKNOWN
        return evaluate(attribute.expression, self.lookup, budget=self.budget)


class _Walk:
    def __init__(
        self, files: Mapping[str, Mapping[str, Block]], copies: Mapping[str, Copy]
    ) -> None:
        self.files = files
        self.copies = copies
        self.root = Root()
        self.budget = Budget(MAX_STEPS)

    def enter(
        self,
        folder: str,
        *,
        prefix: str,
        inputs: Mapping[str, Any],
        providers: Mapping[str, str],
        times: int,
        sure: bool,
        chain: tuple[str, ...],
    ) -> None:
        """One module: its resources, then the modules it calls. ``times`` counts its instances,
        and ``sure`` is whether that number is known."""
        self.root.folders.add(folder)
        bodies = self.files[folder]
        blocks = [block for body in bodies.values() for block in body.blocks]
        names = Names(blocks, inputs, self.budget)
        regions = {**providers, **_regions(blocks, names)}
        for path, body in bodies.items():
            for block in body.blocks:
                if block.type == "resource" and len(block.labels) == 2:
                    self._resource(
                        block, path, names, prefix=prefix, regions=regions, times=times, sure=sure
                    )
        for path, body in bodies.items():
            called = {module.line: module for module in modules_of(body, path=path)}
            for block in body.blocks:
                source = block.attributes.get("source")
                module = called.get(source.line_start) if source else None
                if block.type == "module" and module is not None:
                    self._module(
                        module, block, path, names, prefix, regions, times, sure, (*chain, folder)
                    )

    def _resource(
        self,
        block: Block,
        path: str,
        names: Names,
        *,
        prefix: str,
        regions: Mapping[str, str],
        times: int,
        sure: bool,
    ) -> None:
        number = self._number_of(block, path, names)
        provider = block.attributes.get("provider")
        alias = _provider_name(provider.expression) if provider else ""
        default = block.labels[0].split("_", 1)[0]
        self.root.resources[f"{prefix}{block.labels[0]}.{block.labels[1]}"] = Facts(
            path=path,
            line=block.line_start,
            count_known=sure and number is not None and number <= MAX_COUNT,
            region=regions.get(alias or default, ""),
            provider_alias=alias if alias != default else "",
            total=times * (1 if number is None else min(number, MAX_COUNT)),
            open_blocks=_open_blocks(block, names),
        )

    def _module(
        self,
        module: Module,
        block: Block,
        path: str,
        names: Names,
        prefix: str,
        regions: Mapping[str, str],
        times: int,
        sure: bool,
        chain: tuple[str, ...],
    ) -> None:
        number = self._number_of(block, path, names)
        if number == 0:
            return
        copy = self._copy_of(module, prefix)
        if copy and copy.folder in self.files and not _why_not(copy, module):
            self.root.installed[path, module.line] = Installed(path, module, copy.folder)
            module = replace(module, folder=copy.folder)
        reason = self._why_missing(module, chain, copy)
        if reason or module.folder is None:
            missing = Missing(path, module.line, reason)
            if missing not in self.root.missing:
                self.root.missing.append(missing)
            return
        times *= 1 if number is None else number
        self.root.expansions += times
        if self.root.expansions > MAX_EXPANSIONS:
            raise TooManyModules
        inputs = {name: names.value(each) for name, each in block.attributes.items()}
        self.enter(
            module.folder,
            prefix=f"{prefix}module.{module.name}.",
            inputs=inputs,
            providers=_passed(block.attributes.get("providers"), regions),
            times=times,
            sure=sure and number is not None and number <= MAX_COUNT,
            chain=chain,
        )

    def _number_of(self, block: Block, path: str, names: Names) -> int | None:
        name = next((name for name in ("count", "for_each") if name in block.attributes), "")
        if not name:
            return 1
        attribute = block.attributes[name]
        value = names.value(attribute)
        number = instances(value) if name == "count" else each_instances(value)
        self._note(
            Counted(
                path=path,
                line=attribute.line_start,
                start=attribute.start,
                end=attribute.end,
                name=name,
                number=number,
                first=_first(value) if name == "for_each" else None,
            )
        )
        return number

    def _note(self, counted: Counted) -> None:
        """A block of a module that is called several times may have several numbers: one that
        can't be determined takes precedence, then the largest."""
        key = (counted.path, counted.start)
        known = self.root.counted.get(key)
        if known is None or (
            known.number is not None and (counted.number is None or counted.number > known.number)
        ):
            self.root.counted[key] = counted

    def _copy_of(self, module: Module, prefix: str) -> Copy | None:
        """The installed copy of a module that is not local, by the names that lead to its call."""
        if module.folder is not None:
            return None
        return self.copies.get(".".join([*prefix.split(".")[1::2], module.name]))

    def _why_missing(self, module: Module, chain: tuple[str, ...], copy: Copy | None) -> str:
        name = module.source or f'"{module.name}"'
        if not module.source:
            return f"The source of module {name} is not a literal, so it can't be followed."
        if module.folder is None:
            return _why_not(copy, module) or (
                f"The module {name} is not in the upload, so what it creates is not assessed. Run"
                " 'terraform init' and upload .terraform/modules, too, or upload a plan as JSON."
            )
        if module.folder.startswith(("/", "~")) or module.folder.split("/")[0] == "..":
            return f"The module {name} is outside the upload and was not assessed."
        if module.folder not in self.files:
            return f"The module {name} has no Terraform files in the upload and was not assessed."
        if module.folder in chain:
            return f"The module {name} calls itself, so it is not followed again."
        if len(chain) > MAX_MODULE_DEPTH:
            return f"The module {name} is nested more than {MAX_MODULE_DEPTH} modules deep."
        return ""


def _why_not(copy: Copy | None, module: Module) -> str:
    return copy.why_not(module.source, version=module.version) if copy else ""


def _open_blocks(block: Block, names: Names) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            each.labels[0]
            for each in block.blocks
            if each.labels and each_instances(names.value(each.attributes.get("for_each"))) is None
        )
    )


def _first(collection: Any) -> Any:
    if isinstance(collection, dict):
        return dict(islice(collection.items(), MAX_COUNT))
    return collection[:MAX_COUNT] if isinstance(collection, list) else None


def _regions(blocks: list[Block], names: Names) -> dict[str, str]:
    """Region by provider name (``aws``, ``aws.west``) of the provider blocks."""
    found = {}
    for block in blocks:
        if block.type != "provider" or not block.labels:
            continue
        alias = names.value(block.attributes.get("alias"))
        region = names.value(block.attributes.get("region"))
        name = f"{block.labels[0]}.{alias}" if isinstance(alias, str) else block.labels[0]
        found[name] = region if isinstance(region, str) else ""
    return found


def _passed(providers: Attribute | None, regions: Mapping[str, str]) -> dict[str, str]:
    """The providers that a module gets: those in its ``providers``, otherwise the default ones
    (developer.hashicorp.com/terraform/language/modules/develop/providers)."""
    if providers is None or not isinstance(providers.expression, MapOf):
        return {name: region for name, region in regions.items() if "." not in name}
    return {
        _provider_name(inner): regions.get(_provider_name(outer), "")
        for inner, outer in providers.expression.items
    }


def _provider_name(expression: Expression) -> str:
    if isinstance(expression, Reference):
        return ".".join(expression.parts[:2])
    return str(expression.value).strip() if isinstance(expression, Literal) else ""
