"""The engines that live in the scanner's own environment: Checkov, tfparse, cfn-lint.

Runs inside the sandbox, with the upload as the current folder. Reads one job as JSON and writes
JSON lines to standard output: any number of ``{"progress": {"done", "total", "message"}}``, then
one ``{"result": {...}}`` per part, or ``{"crashed": CLASS}`` if the engine fails on a file; each
with the number of its part. What it writes is raw (secrets included) and trusted by nobody: the
caller validates and redacts it.

It knows nothing about the rest of Infra Mind, and imports only the standard library until an engine
is needed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bicep_grammar
import open_values
import overlay

OFFLINE = {
    "CHECKOV_PARALLELIZATION_TYPE": "none",
    "CHECKOV_ENABLE_FOREACH_HANDLING": "False",
    "CHECKOV_ENABLE_MODULES_FOREACH_HANDLING": "False",
    "CKV_IGNORE_HIDDEN_DIRECTORIES": "False",
    "CKV_IGNORED_DIRECTORIES": ".terraform",
    "LOG_LEVEL": "CRITICAL",
    # No native thread pools: a process with threads can't be forked safely.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}
"""Checkov's settings. One finding per declared block, however large its ``count``; no network, no
worker pool."""

CHECKOV_RUNNERS = {
    "terraform": "checkov.terraform.runner",
    "terraform_plan": "checkov.terraform.plan_runner",
    "cloudformation": "checkov.cloudformation.runner",
    "kubernetes": "checkov.kubernetes.runner",
    "github_actions": "checkov.github_actions.runner",
    "dockerfile": "checkov.dockerfile.runner",
    "gitlab_ci": "checkov.gitlab_ci.runner",
    "azure_pipelines": "checkov.azure_pipelines.runner",
    "circleci_pipelines": "checkov.circleci_pipelines.runner",
    "ansible": "checkov.ansible.runner",
    "arm": "checkov.arm.runner",
    "bicep": "checkov.bicep.runner",
    "helm": "checkov.kubernetes.runner",
    "kustomize": "checkov.kubernetes.runner",
}
GRAPHS = (
    "terraform",
    "cloudformation",
    "kubernetes",
    "github_actions",
    "dockerfile",
    "ansible",
    "arm",
    "bicep",
)
NAMED = ("gitlab_ci", "azure_pipelines", "circleci_pipelines")
"""Kinds that Checkov recognizes only by file name. The caller also recognizes them by content, and
a job contains no other files."""
SILENT = (*NAMED, "ansible", "arm", "bicep")
"""Kinds for which Checkov silently skips what it can't read."""
WITH_VALUES_OPEN = ("terraform", "cloudformation", "arm", "bicep")
"""Kinds whose values may be references that the upload doesn't resolve."""
MAX_RESOURCES = 20_000
MAX_PROBLEMS = 20_000
MAX_RENDERED_CHARS = 10_000_000
MAX_RENDERED_FILES = 5_000
MAX_BROKEN_FILES = 25
MAX_CODE_LINES = 40
MAX_SECRETS = 20_000
MAX_LINE_CHARS = 8_000
LONG_WORD = re.compile(r"[\w/+.-]{20}")
HCL_ERROR = re.compile(
    r"(?P<file>[^\s:]+\.tf(?:\.json)?):(?P<line>\d+),\d+(?:-\d+(?:,\d+)?)?: (?P<message>.+)"
)

Emit = Callable[[dict[str, Any]], None]


def run(job: dict[str, Any], emit: Emit) -> None:
    """Run one job: ``{"engine": "checkov" | "tfparse" | "cfn-lint" | ..., "parts": [...]}``.

    Each part has ``files``, ``units`` and what its engine needs. If there are several, each is run
    alone on a copy that contains only its files, so that the result is the same as on its own.
    """
    parts = job["parts"]
    if len(parts) > 1 and job["engine"] == "checkov":
        _import_checkov(job["framework"])  # once, and not in the process of each part
    total = sum(part["units"] for part in parts)
    done = 0
    for number, part in enumerate(parts):
        shifted = _shifted(emit, part=number, done=done, units=part["units"], total=total)
        if len(parts) == 1 and not _changes_files(job, part):
            _run_part(job, part, shifted)
        elif job["engine"] == "checkov":
            _in_child(lambda part=part, say=shifted: _run_alone(job, part, say), shifted)
        else:
            _run_alone(job, part, shifted)
        done += part["units"]


def _changes_files(job: dict[str, Any], part: dict[str, Any]) -> bool:
    """Files that tfparse can't parse are removed, a named variable file is renamed, and Kustomize
    is asked for origins; the upload itself may be read-only."""
    return (
        job["engine"] == "tfparse"
        or job.get("framework") == "kustomize"
        or bool(part.get("named_vars"))
    )


def _run_alone(job: dict[str, Any], part: dict[str, Any], emit: Emit) -> None:
    """In a copy, within the part's own folder."""
    before = Path.cwd()
    tree = Path(os.environ["HOME"]) / "part"
    shutil.rmtree(tree, ignore_errors=True)
    for path in part["files"]:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tree / path)
    os.chdir(tree)
    try:
        _run_part(job, part, emit)
    finally:
        os.chdir(before)


def _run_part(job: dict[str, Any], part: dict[str, Any], emit: Emit) -> None:
    engine = {
        "checkov": {"helm": _helm, "kustomize": _kustomize}.get(job.get("framework", ""), _checkov),
        "tfparse": _tfparse,
        "cfn-lint": _cfn_lint,
        "secrets": _secrets,
        "kubernetes-validate": _kubernetes_validate,
    }[job["engine"]]
    try:
        emit({"result": engine({**job, **part}, emit)})
    except Exception as error:
        # Only the class: an engine's message quotes the upload.
        emit({"crashed": type(error).__name__})


def _in_child(work: Callable[[], None], emit: Emit) -> None:
    """What Checkov keeps in its registries and caches from one part must not leak into the next."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        emit({"crashed": f"signal {os.WTERMSIG(status)}"})


def _import_checkov(framework: str) -> None:
    import importlib

    from checkov.common.checks_infra.registry import get_graph_checks_registry

    importlib.import_module(CHECKOV_RUNNERS[framework])
    rendered = framework in {"helm", "kustomize"}
    get_graph_checks_registry("kubernetes" if rendered else framework).load_checks()


def _shifted(emit: Emit, *, part: int, done: int, units: int, total: int) -> Emit:
    """Messages of one part, with its progress as a share of the whole."""

    def say(message: dict[str, Any]) -> None:
        progress = message.get("progress")
        if progress:
            share = units * progress["done"] // max(progress["total"], 1)
            message = {"progress": {**progress, "done": done + share, "total": total}}
        emit({**message, "part": part})

    return say


def preload() -> None:
    """Import what is slow to import and safe to fork afterwards (everything but Go libraries)."""
    import importlib

    for module in CHECKOV_RUNNERS.values():
        importlib.import_module(module)
    from checkov.common.checks_infra.registry import get_graph_checks_registry

    for framework in GRAPHS:
        get_graph_checks_registry(framework).load_checks()
    import cfnlint.api  # noqa: F401

    _detectors()


def _checkov(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    import importlib
    import logging

    from checkov.version import version

    logging.disable(logging.CRITICAL)
    framework = job["framework"]
    module = importlib.import_module(CHECKOV_RUNNERS[framework])
    if framework == "bicep":
        bicep_grammar.use_compiled()
    runner = module.Runner()
    runner.pbar = _Ticker(emit, total=job["units"])
    _tick_per_check(runner)
    if framework in WITH_VALUES_OPEN:
        _mark_open(framework, runner)
    if framework in NAMED:
        runner.is_workflow_file = module.Runner.is_workflow_file = lambda _: True
    if job.get("parameters"):
        give = _give_arm_parameters if framework == "arm" else _give_parameters
        give(module, job["parameters"])
    if job.get("installed"):
        _follow_installed(job["installed"])
    if job.get("named_vars"):
        _apply_last(job["named_vars"], root=job["root"])
    own = _load_own_rules(runner, job.get("own_rules", ()))
    reports = runner.run(
        root_folder=str(Path.cwd()), runner_filter=_filter(framework, rules=job.get("rules", ""))
    )
    runner.pbar.finish()
    records: list[dict[str, Any]] = []
    errors: set[str] = set()
    for report in reports if isinstance(reports, list) else [reports]:
        records += [_record(record) for record in report.get_all_records()]
        errors |= {_relative(path) for path in report.parsing_errors}
    if framework in SILENT:
        errors |= set(job["files"]) - {_relative(str(path)) for path in runner.definitions}
    return {
        "version": version,
        "records": records,
        "errors": sorted(errors),
        "own_rules": own,
        "resources": _azure_resources(runner.definitions) if framework in {"arm", "bicep"} else [],
    }


def _load_own_rules(runner: Any, rules: Any) -> list[str] | None:
    """Load the server's rules, which are YAML, with Checkov's own loader. Returns the ids of those
    that it accepted; None for kinds of files that Checkov builds no graph for, on which no such
    rule runs."""
    registry = getattr(runner, "graph_registry", None)
    if not rules or registry is None:
        return None
    folder = Path(os.environ["HOME"]) / "own-rules"
    folder.mkdir(exist_ok=True)
    for name, text in rules:
        (folder / f"{name}.yaml").write_text(text)
    registry.load_checks()
    registry.load_external_checks(str(folder))
    wanted = {name for name, _ in rules}
    return sorted(wanted & {str(check.id) for check in registry.checks})


def _helm(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """A chart as Helm renders it, and Checkov's results on that. Each manifest has the name of its
    template, and line numbers of its own.

    ``rendered`` is text by template. ``failed`` is Helm's own message if rendering failed, and
    ``lacking`` says that Helm is not installed here.
    """
    nothing = {"version": "", "records": [], "errors": [], "rendered": {}}
    try:
        rendered = _render(job["root"], job["values"])
    except ImportError:
        return {**nothing, "lacking": True}
    except Exception as error:
        return {**nothing, "failed": str(error)[:2_000] or type(error).__name__}
    return _checked(rendered, job, emit)


def _kustomize(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """An overlay as Kustomize builds it, and Checkov's results on that. ``built`` is false if it
    could not, or is not installed here (then ``failed`` is empty): then ``rendered`` are the
    manifests that the overlay lists, as they are."""
    built, failed = False, ""
    rendered: dict[str, str] = {}
    if job["programs"]:
        try:
            rendered = overlay.build(
                job["programs"][0], root=job["root"], kustomization=job["kustomization"]
            )
            built = True
        except (OSError, ValueError) as error:
            failed = str(error)[:2_000] or type(error).__name__
    if not built:
        rendered = {
            overlay.yaml_name(path): Path(path).read_text(errors="replace") for path in job["plain"]
        }
    return {**_checked(rendered, job, emit), "built": built, "failed": failed}


def _checked(rendered: dict[str, str], job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Checkov's results on manifests, by the names of their texts, and what they have that the API
    does not know."""
    before = Path.cwd()
    tree = Path(os.environ["HOME"]) / "rendered"
    shutil.rmtree(tree, ignore_errors=True)
    for path, text in rendered.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    tree.mkdir(exist_ok=True)
    os.chdir(tree)
    try:
        answer = _checkov({**job, "framework": "kubernetes", "files": sorted(rendered)}, emit)
    finally:
        os.chdir(before)
    problems = [
        each
        for path, text in rendered.items()
        for each in _api_problems(path, text, job["kubernetes_version"])
    ]
    return {**answer, "rendered": rendered, "problems": problems[:MAX_PROBLEMS]}


def _render(root: str, values: str) -> dict[str, str]:
    """Manifests by the path of their template. Go's library must not be loaded before a fork, so
    it is imported here. Raises what Helm raises, and ValueError for too much output."""
    import helm_python

    given = helm_python.values_from_yaml(Path(values).read_text()) if values else {}
    with helm_python.Chart.load(root) as chart:
        made = chart.render(given, name="release-name", namespace="default")
    found = {
        os.path.normpath(os.path.join(root, *name.split("/")[1:])): text  # noqa: PTH118
        for name, text in made.items()
        if text.strip() and name.endswith((".yaml", ".yml", ".json"))
    }
    if sum(map(len, found.values())) > MAX_RENDERED_CHARS or len(found) > MAX_RENDERED_FILES:
        raise ValueError("it renders more manifests than can be read")
    if any(path.startswith(("/", "..")) for path in found):
        raise ValueError("a template has a name that leads out of the chart")
    return found


def _filter(framework: str, *, rules: str) -> Any:
    """``rules``: "objects" for those that look at one object, "graph" for those that compare."""
    from checkov.common.checks_infra.registry import get_graph_checks_registry
    from checkov.runner_filter import RunnerFilter

    graph: list[str] = []
    if rules:
        registry = get_graph_checks_registry(framework)
        registry.load_checks()
        graph = [check.id for check in registry.checks]
    return RunnerFilter(
        framework=[framework],
        checks=graph if rules == "graph" else None,
        skip_checks=graph if rules == "objects" else None,
        download_external_modules=False,
        show_progress_bar=True,
    )


def _apply_last(path: str, *, root: str) -> None:
    """A variable file that Terraform is given by name overrides all others, for the root only
    (Checkov's own option passes it to every module, too)."""
    shutil.copyfile(path, Path(root) / "zzzz-named.auto.tfvars")


def _follow_installed(calls: list[list[str]]) -> None:
    """Modules that ``terraform init`` has copied: where the files of a folder call a source, it is
    this copy. Checkov's own way compares sources as Terraform writes them, which differ from those
    in the code."""
    from checkov.terraform.module_loading.content import ModuleContent
    from checkov.terraform.module_loading.registry import module_loader_registry

    copies = {tuple(key): str(Path(place).absolute()) for *key, place in calls}
    load = module_loader_registry.load

    def with_installed(current_dir: str, source: Any, source_version: Any, **others: Any) -> Any:
        folder = os.path.normpath(_relative(str(current_dir)))
        key = "" if folder == "." else folder, source
        place = copies.get((*key, source_version)) or copies.get((*key, ""))
        if place is not None:
            return ModuleContent(place)
        return load(current_dir, source, source_version, **others)

    module_loader_registry.load = with_installed


def _give_parameters(module: Any, parameters: dict[str, Any]) -> None:
    """A stack's parameters replace their defaults in what Checkov has read."""
    create = module.create_definitions

    def with_parameters(*args: Any, **kwargs: Any) -> Any:
        definitions, raw = create(*args, **kwargs)
        for template in definitions.values():
            declared = template.get("Parameters") if isinstance(template, dict) else None
            for name, value in parameters.items() if isinstance(declared, dict) else ():
                if isinstance(declared.get(name), dict):
                    declared[name]["Default"] = value
        return definitions, raw

    module.create_definitions = with_parameters


def _give_arm_parameters(module: Any, parameters: dict[str, Any]) -> None:
    read = module.get_files_definitions

    def with_parameters(*args: Any, **kwargs: Any) -> Any:
        definitions, raw, errors = read(*args, **kwargs)
        for template in definitions.values():
            declared = template.get("parameters") if isinstance(template, dict) else None
            for name, value in parameters.items() if isinstance(declared, dict) else ():
                if isinstance(declared.get(name), dict):
                    declared[name]["defaultValue"] = value
        return definitions, raw, errors

    module.get_files_definitions = with_parameters


def _azure_resources(definitions: Any) -> list[dict[str, Any]]:
    """The resources that ARM templates and Bicep files declare, as Checkov has evaluated them."""
    found = []
    for path, definition in definitions.items():
        declared = definition.get("resources") if isinstance(definition, dict) else None
        is_bicep = isinstance(declared, dict)
        for name, value in declared.items() if is_bicep else enumerate(declared or ()):
            if isinstance(value, dict) and not value.get("existing"):
                name = str(name if is_bicep else value.get("name", ""))
                found.append(_azure_resource(name, value, file=_relative(str(path))))
    return [each for each in found if each["type"] and each["line_start"]][:MAX_RESOURCES]


def _azure_resource(name: str, value: dict[str, Any], *, file: str) -> dict[str, Any]:
    kind = str(value.get("type", ""))
    start, end = _marked(value)
    return {
        "address": f"{kind}.{name}",
        "type": kind,
        "name": name,
        "file": file,
        "line_start": start,
        "line_end": end,
        "attributes": _without_marks(value.get("config", value)),
    }


def _marked(value: dict[str, Any]) -> tuple[int, int]:
    start = value.get("__startline__", value.get("__start_line__", 0))
    return int(start), int(value.get("__endline__", value.get("__end_line__", start)))


def _without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _without_marks(item)
            for key, item in value.items()
            if not str(key).startswith("__") and not str(key).endswith("__")
        }
    return [_without_marks(item) for item in value] if isinstance(value, list) else value


def _record(record: Any) -> dict[str, Any]:
    """One Checkov record as JSON; ``lines`` are [number, text] pairs, for failed checks only."""
    outcome = getattr(record.check_result["result"], "value", str(record.check_result["result"]))
    code = (record.code_block or []) if outcome == "FAILED" else []
    start, end = ([*list(record.file_line_range or []), 0, 0])[:2]
    return {
        "rule": record.check_id,
        "title": record.check_name or "",
        "outcome": outcome,
        "resource": record.resource_address or record.resource or "",
        "file": _relative(record.file_abs_path)
        if record.file_abs_path
        else record.file_path.lstrip("/"),
        "line_start": int(start),
        "line_end": int(end),
        "suppression": str(record.check_result.get("suppress_comment") or ""),
        "open": str(record.check_result.get("open") or ""),
        "lines": [[int(number), str(text)] for number, text in code[:MAX_CODE_LINES]],
        "keys": [
            str(key)
            for key in record.check_result.get("evaluated_keys") or []
            if key != "resource_type"
        ][:20],
    }


class _Ticker:
    """Replaces Checkov's own progress bar: counts finished checks of entities out of known
    entities."""

    def __init__(self, emit: Emit, *, total: int) -> None:
        self.emit = emit
        self.total = max(total, 1)
        self.done = 0
        self.shown = -1
        self.message = ""

    def tick(self) -> None:
        self.done = min(self.done + 1, self.total)
        if self.done * 100 // self.total != self.shown:
            self.shown = self.done * 100 // self.total
            self.emit(
                {"progress": {"done": self.done, "total": self.total, "message": self.message}}
            )

    def finish(self) -> None:
        self.done = self.total - 1
        self.tick()

    def set_additional_data(self, data: dict[str, str]) -> None:
        self.message = next(iter(data.values()), "")

    def initiate(self, *_: Any) -> None:
        """Checkov's totals are files; ours are entities, known from the intake."""

    update = close = turn_off_progress_bar = set_description = initiate


def _tick_per_check(runner: Any) -> None:
    """Make each registry's ``scan`` (one call per entity) count toward progress."""
    module = sys.modules[type(runner).__module__]
    registries = list(getattr(runner, "block_type_registries", {}).values())
    registries += [
        value
        for name, value in vars(module).items()
        if name.endswith("registry") and hasattr(value, "scan")
    ]
    for registry in {id(registry): registry for registry in registries}.values():
        registry.scan = _counted(registry.scan, runner.pbar)


def _counted(scan: Callable[..., Any], ticker: _Ticker) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        result = scan(*args, **kwargs)
        ticker.tick()
        return result

    return counted


def _mark_open(framework: str, runner: Any) -> None:
    """Note with each failure what it would have needed to know, while the evaluated configuration
    is at hand."""
    from checkov.common.checks.base_check import BaseCheck
    from checkov.common.models.enums import CheckResult

    run = BaseCheck.run

    def marked(check: Any, **given: Any) -> Any:
        result = run(check, **given)
        if result.get("result") is CheckResult.FAILED:
            result["open"] = _open(result, given.get("entity_configuration"))
        return result

    def _open(result: dict[str, Any], configuration: Any) -> str:
        try:
            expression = open_values.open_value(
                configuration, result.get("evaluated_keys") or [], framework=framework
            )
            if expression and open_values.stays_open(expression, configuration, runner.definitions):
                return expression
        except Exception:  # Checkov would drop the check: it stays a failure.
            return ""
        return ""

    BaseCheck.run = marked


def _relative(path: str) -> str:
    return os.path.relpath(path, Path.cwd()) if os.path.isabs(path) else path  # noqa: PTH117


def _tfparse(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Resources of one root. A file that is not HCL is reported with its line and left out of the
    next attempt."""
    from importlib.metadata import version

    errors: list[dict[str, Any]] = []
    root = job["root"]
    emit({"progress": {"done": 0, "total": 1, "message": root}})
    var_files = [os.path.relpath(path, root) for path in job["var_files"]]
    resources, places = _blocks(_parse_root(root, errors, var_files=var_files), root=root)
    emit({"progress": {"done": 1, "total": 1, "message": ""}})
    return {
        "version": version("tfparse"),
        "resources": resources,
        "blocks": places,
        "errors": errors,
    }


def _parse_root(root: str, errors: list[dict[str, Any]], *, var_files: list[str]) -> dict[str, Any]:
    import tfparse

    for _ in range(MAX_BROKEN_FILES):
        try:
            parsed = tfparse.load_from_path(
                root, stop_on_hcl_error=True, allow_downloads=False, vars_paths=var_files
            )
            return dict(parsed)
        except tfparse.ParseError as error:
            found = HCL_ERROR.search(str(error))
            path = os.path.normpath(str(Path(root) / found["file"])) if found else ""
            if found is None or not Path(path).is_file():
                break
            errors.append({"file": path, "line": int(found["line"]), "message": found["message"]})
            Path(path).unlink()
    try:
        parsed = tfparse.load_from_path(
            root, stop_on_hcl_error=False, allow_downloads=False, vars_paths=var_files
        )
        return dict(parsed)
    except tfparse.ParseError as error:
        errors.append({"file": root, "line": None, "message": str(error)[:300]})
        return {}


def _blocks(
    parsed: dict[str, Any], *, root: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Resource blocks and providers, and the positions of all blocks. tfparse's random ids are
    replaced by the addresses they stand for."""
    everything = [
        block for blocks in parsed.values() for block in blocks if isinstance(block, dict)
    ]
    names = {
        block["id"]: block["__tfmeta"].get("path", "") for block in everything if "id" in block
    }
    places = [_place(block["__tfmeta"], root) for block in everything if "id" in block]
    found = []
    for block in everything:
        meta = block.get("__tfmeta", {})
        address = str(meta.get("path", ""))
        if meta.get("type") == "resource" or address.startswith("provider."):
            found.append(
                {
                    "address": address,
                    "type": str(meta.get("label", ""))
                    if meta.get("type") == "resource"
                    else "provider",
                    "file": _file_of(meta, root),
                    "line_start": int(meta.get("line_start", 0)),
                    "line_end": int(meta.get("line_end", 0)),
                    "attributes": _named(block, names),
                }
            )
    return found, places


def _place(meta: dict[str, Any], root: str) -> dict[str, Any]:
    line = int(meta.get("line_start", 0))
    return {"path": str(meta.get("path", "")), "file": _file_of(meta, root), "line_start": line}


def _file_of(meta: dict[str, Any], root: str) -> str:
    return os.path.normpath(str(Path(root) / meta.get("filename", "")))


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _named(item, names) for key, item in value.items() if key not in {"__tfmeta", "id"}
        }
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _cfn_lint(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Validity of templates. Warnings and information are kept; the template's own text never
    appears twice in a message."""
    from cfnlint.api import lint_file
    from cfnlint.version import __version__

    templates = _follow_no_settings()
    matches: list[dict[str, Any]] = []
    files = job["files"]
    for done, path in enumerate(files):
        emit({"progress": {"done": done, "total": len(files), "message": path}})
        templates.clear()
        found = list(lint_file(Path(path)))
        is_ignored = _ignored_by(templates)
        for match in found:
            place = [str(part) for part in (getattr(match, "path", None) or [])][:6]
            matches.append(
                {
                    "rule": match.rule.id,
                    "title": match.rule.shortdesc,
                    "severity": match.rule.severity,
                    "message": match.message[:500],
                    "file": path,
                    "line_start": match.linenumber,
                    "line_end": match.linenumberend,
                    "path": place,
                    "suppressed": is_ignored(match.rule.id, place),
                }
            )
    emit({"progress": {"done": len(files), "total": len(files), "message": ""}})
    return {"version": __version__, "matches": matches}


def _secrets(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Tokens whose format detect-secrets knows, line by line. Its guesses (words and entropy) are
    not used, and nothing is verified over the network."""
    from importlib.metadata import version

    detectors = _detectors()
    found: list[dict[str, Any]] = []
    files = job["files"]
    for done, path in enumerate(files):
        emit({"progress": {"done": done, "total": len(files), "message": path}})
        text = Path(path).read_bytes().decode("utf-8-sig", errors="replace")
        for number, line in enumerate(text.split("\n"), start=1):
            for secret_type, value in _known_forms(detectors, line):
                found.append({"file": path, "line": number, "type": secret_type, "value": value})
        if len(found) > MAX_SECRETS:
            break
    emit({"progress": {"done": len(files), "total": len(files), "message": ""}})
    return {"version": version("bc-detect-secrets"), "found": found[:MAX_SECRETS]}


def _kubernetes_validate(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    from importlib.metadata import version

    found: list[dict[str, Any]] = []
    files = job["files"]
    for done, path in enumerate(files):
        emit({"progress": {"done": done, "total": len(files), "message": path}})
        text = Path(path).read_bytes().decode("utf-8-sig", errors="replace")
        found += _api_problems(path, text, job["kubernetes_version"])
    emit({"progress": {"done": len(files), "total": len(files), "message": ""}})
    return {"version": version("kubernetes-validate"), "problems": found[:MAX_PROBLEMS]}


def _api_problems(path: str, text: str, wanted: str) -> list[dict[str, Any]]:
    """Empty if it is not YAML: Checkov reports that for the same file."""
    import kube
    import yaml

    try:
        return [{**each, "file": path} for each in kube.problems(text, wanted=wanted)]
    except yaml.YAMLError:
        return []


def _detectors() -> list[Any]:
    from detect_secrets.plugins import (
        artifactory,
        aws,
        cloudant,
        discord,
        github_token,
        ibm_cos_hmac,
        jwt,
        mailchimp,
        npm,
        sendgrid,
        slack,
        softlayer,
        square_oauth,
        stripe,
        twilio,
    )

    return [
        artifactory.ArtifactoryDetector(),
        aws.AWSKeyDetector(),
        cloudant.CloudantDetector(),
        discord.DiscordBotTokenDetector(),
        github_token.GitHubTokenDetector(),
        ibm_cos_hmac.IbmCosHmacDetector(),
        jwt.JwtTokenDetector(),
        mailchimp.MailchimpDetector(),
        npm.NpmDetector(),
        sendgrid.SendGridDetector(),
        slack.SlackDetector(),
        softlayer.SoftlayerDetector(),
        square_oauth.SquareOAuthDetector(),
        stripe.StripeDetector(),
        twilio.TwilioKeyDetector(),
    ]


def _known_forms(detectors: list[Any], line: str) -> set[tuple[str, str]]:
    """No format is shorter than its issuer's token, and none contains blanks: a line without a long
    word is skipped."""
    if not LONG_WORD.search(line):
        return set()
    pieces = [line[at : at + MAX_LINE_CHARS] for at in range(0, len(line), MAX_LINE_CHARS - 500)]
    return {
        (detector.secret_type, value)
        for piece in pieces
        for detector in detectors
        for value in detector.analyze_string(piece)
        if value
    }


def _follow_no_settings() -> list[dict[str, Any]]:
    """Prevent a template's metadata or a settings file in the upload from configuring cfn-lint: it
    would silently skip rules, and load rules from the upload. Returns where the templates that it
    reads from now on are collected."""
    from cfnlint.config import ConfigFileArgs, TemplateArgs
    from cfnlint.template import Template

    templates: list[dict[str, Any]] = []

    def keep(args: Any, template: Any) -> None:
        args._template_args = {}
        if isinstance(template, dict):
            templates.append(template)

    TemplateArgs.set_template_args = keep
    ConfigFileArgs._find_config = lambda args: ("", "")
    Template.get_directives = lambda template: {}
    return templates


def _ignored_by(templates: list[dict[str, Any]]) -> Callable[[str, list[str]], bool]:
    """Whether a template's metadata asks to suppress a match: everywhere by the beginning of the
    rule's id, in one resource by the id (cfn-lint's README, "Metadata")."""
    everywhere: set[str] = set()
    of_resource: set[tuple[str, str]] = set()
    for template in templates:
        everywhere |= _ignore_checks(template)
        resources = template.get("Resources")
        for name, resource in resources.items() if isinstance(resources, dict) else ():
            of_resource |= {(str(name), rule) for rule in _ignore_checks(resource)}

    def is_ignored(rule: str, place: list[str]) -> bool:
        if rule.startswith(tuple(everywhere)):
            return True
        return place[:1] == ["Resources"] and tuple([*place[1:2], rule]) in of_resource

    return is_ignored


def _ignore_checks(value: Any) -> set[str]:
    for key in ("Metadata", "cfn-lint", "config", "ignore_checks"):
        value = value.get(key) if isinstance(value, dict) else None
    rules = value if isinstance(value, list) else []
    return {str(rule) for rule in rules if isinstance(rule, str) and rule}


def emit_to(descriptor: int) -> Emit:
    """A line writer that survives short writes."""

    def emit(message: dict[str, Any]) -> None:
        data = (json.dumps(message, default=str) + "\n").encode()
        while data:
            data = data[os.write(descriptor, data) :]

    return emit


def main() -> None:
    os.environ.update(OFFLINE)
    # Engines print; their output must not mix with our lines.
    out = os.dup(1)
    os.dup2(2, 1)
    run(json.loads(Path(sys.argv[1]).read_text()), emit_to(out))


if __name__ == "__main__":
    main()
