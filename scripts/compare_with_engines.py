"""Compares Checkov's own command-line results with ours, scope by scope.

    python scripts/compare_with_engines.py DIRECTORY [DIRECTORY ...]

For each scope that the scan finds in a directory, the scope's files are copied to a separate folder
and Checkov's command line is run there, as its manual describes. Each of its results (rule,
resource, file, lines, outcome) must be among ours for that scope, and each of ours among its own.
Then Checkov is run over the whole directory: whatever fails there must fail in some scope, or its
file must be named as a gap, so that no file is silently missing from all of them.

The command line is given two settings, as for our own runs: one result per declared block
(CHECKOV_ENABLE_FOREACH_HANDLING=False), and a named variable file applies last, to the root only.
Results about CloudFormation resources whose Condition is false are left out: they do not exist.
The exit status is 1 if anything was lost or invented.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from assessments.scan.classify import Classified, Role, classify  # noqa: E402
from assessments.scan.engines import run_shard  # noqa: E402
from assessments.scan.engines.checkov_records import resource_of  # noqa: E402
from assessments.scan.engines.helm import DEFAULT_NAMESPACE  # noqa: E402
from assessments.scan.engines.terraform_root import local_sources  # noqa: E402
from assessments.scan.hcl_counts import edited  # noqa: E402
from assessments.scan.installed import FOLDER, is_installed, kept  # noqa: E402
from assessments.scan.intake import InputFile  # noqa: E402
from assessments.scan.merge import ScanResult, merge  # noqa: E402
from assessments.scan.programs import overlay_programs  # noqa: E402
from assessments.scan.sandbox import Sandbox, ScanError  # noqa: E402
from assessments.scan.scanner.overlay import arguments  # noqa: E402
from assessments.scan.scope_kinds.kustomize import Overlay  # noqa: E402
from assessments.scan.scope_kinds.unit import Unit  # noqa: E402
from assessments.scan.scopes import units_of  # noqa: E402
from assessments.scan.shards import shards_of  # noqa: E402
from assessments.scan.terragrunt import NAME as TERRAGRUNT  # noqa: E402
from assessments.scan.terragrunt import read_terragrunt  # noqa: E402
from assessments.scan.types import FileKind, Outcome, ScopeKind  # noqa: E402

SCANNER = ROOT / ".venv-scanner" / "bin"
MAX_FILE_BYTES = 2_000_000
FRAMEWORKS = {
    ScopeKind.TERRAFORM: "terraform",
    ScopeKind.TERRAFORM_PLAN: "terraform_plan",
    ScopeKind.CLOUDFORMATION: "cloudformation",
    ScopeKind.KUBERNETES: "kubernetes",
    ScopeKind.ARM: "arm",
    ScopeKind.BICEP: "bicep",
}
FILE_FRAMEWORKS = {
    FileKind.DOCKERFILE: "dockerfile",
    FileKind.GITHUB_ACTIONS: "github_actions",
    FileKind.GITLAB_CI: "gitlab_ci",
    FileKind.AZURE_PIPELINES: "azure_pipelines",
    FileKind.CIRCLECI: "circleci_pipelines",
    FileKind.ANSIBLE: "ansible",
}
KNOWN_BY_NAME = {
    "gitlab_ci": ".gitlab-ci.yml",
    "azure_pipelines": "azure-pipelines.yml",
    "circleci_pipelines": ".circleci/config.yml",
}
"""Checkov recognizes these by the ends of their names. We also recognize them by content, so each
is passed to its command line in a folder of its own, under such a name."""
OUTCOMES = {
    "passed_checks": Outcome.PASSED,
    "failed_checks": Outcome.FAILED,
    "skipped_checks": Outcome.SUPPRESSED,
}
Result = tuple[str, str, str, int, int, str]
"""Rule, resource, file, first and last line, outcome."""


@dataclass
class Comparison:
    results: int = 0
    scopes: int = 0
    lost: list[tuple[str, Result]] = field(default_factory=list)
    invented: list[tuple[str, Result]] = field(default_factory=list)
    nowhere: list[Result] = field(default_factory=list)
    seconds: float = 0

    def add(self, scope: str, theirs: set[Result], ours: set[Result]) -> None:
        self.scopes += 1
        self.results += len(theirs)
        self.lost += ((scope, each) for each in sorted(theirs - ours))
        self.invented += ((scope, each) for each in sorted(ours - theirs))

    @property
    def differs(self) -> bool:
        return bool(self.lost or self.invented or self.nowhere)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--show", type=int, default=10, help="differences to print, of each kind")
    options = parser.parse_args()
    print(f"{'directory':34} scopes results   lost invented nowhere seconds")
    found = [_reported(directory, show=options.show) for directory in options.directories]
    total = sum(each.results for each in found)
    print(f"{len(found)} directories, {total:,} results of the engine")
    return int(any(each.differs for each in found))


def _reported(directory: Path, *, show: int) -> Comparison:
    found = compare(directory)
    print(
        f"{directory.resolve().name[:34]:34} {found.scopes:6} {found.results:7} {len(found.lost):6}"
        f" {len(found.invented):8} {len(found.nowhere):7} {found.seconds:7.1f}",
        flush=True,
    )
    for word, rows in (("lost", found.lost), ("invented", found.invented)):
        for scope, row in rows[:show]:
            print(f"    {word} in {scope}: {row}")
    for row in found.nowhere[:show]:
        print(f"    in no scope: {row}")
    return found


def compare(directory: Path) -> Comparison:
    files = _read(directory)
    classified = [classify(file) for file in files]
    units = units_of(classified)
    found = Comparison()
    started = time.monotonic()
    scan = _scanned(files, classified, units)
    found.seconds = time.monotonic() - started
    contents = {file.path: file for file in files}
    for unit in units:
        if unit.chart:
            found.add(unit.scope.key, *_of_chart(unit, contents, scan))
        elif unit.overlay:
            found.add(unit.scope.key, *_of_overlay(unit, contents, scan, classified))
        elif framework := FRAMEWORKS.get(unit.scope.kind):
            theirs = {
                each
                for each in _command_line(_copied(unit, contents), framework)
                if not unit.lacks(each[1])
            }
            ours = _ours(scan, framework, unit.scope.key)
            theirs = {each for each in theirs if not _is_config(each) or each in ours}
            if unit.facts and unit.facts.installed:
                theirs, ours = _without_source_rules(theirs), _without_source_rules(ours)
            found.add(unit.scope.key, theirs, ours)
    for kind, framework in FILE_FRAMEWORKS.items():
        wanted = [item.file for item in classified if item.kind is kind and item.scannable]
        if wanted:
            ask = _command_line_by_name if framework in KNOWN_BY_NAME else _command_line
            found.add(framework, set(ask(wanted, framework)), _ours(scan, framework))
    found.nowhere = sorted(_in_no_scope(classified, units, scan))
    return found


def _read(directory: Path) -> list[InputFile]:
    paths = sorted(
        path
        for path in directory.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and ".git" not in path.relative_to(directory).parts[:-1]
        and path.stat().st_size <= MAX_FILE_BYTES
    )
    named = {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}
    copied = kept({name: named[name] for name in named if is_installed(name)})
    return [
        InputFile.of(name, content)
        for name, content in named.items()
        if FOLDER not in name.split("/") or name in copied
    ]


def _scanned(files: list[InputFile], classified: list[Classified], units: list[Unit]) -> ScanResult:
    outputs = []
    with tempfile.TemporaryDirectory(prefix="im-compare-") as work:
        Path(work).chmod(0o755)
        sandbox = Sandbox(
            scanner_python=SCANNER / "python", work_dir=Path(work), lifeline_pid=os.getpid()
        )
        for shard in shards_of(classified, units=units):
            if shard.engine == "checkov":
                try:
                    output = run_shard(
                        shard, files, sandbox=sandbox, on_progress=lambda done, total, message: None
                    )
                except ScanError as error:
                    print(f"    {shard.label}: {error}")
                else:
                    outputs.append(output)
    return merge(outputs, files=files)


def _is_config(result: Result) -> bool:
    """Of a web app's configurations, ours leaves out those that are not the rules' subject."""
    return "/sites/config" in result[1].lower()


def _ours(scan: ScanResult, framework: str, scope: str = "") -> set[Result]:
    return {
        (
            check.rule,
            check.resource,
            check.file,
            check.line_start,
            check.line_end,
            _as_reported(check.outcome).value,
        )
        for check in scan.checks
        if (check.scope == scope if scope else _is_of(check.resource_type, framework))
        and check.engine == "checkov"
    }


def _as_reported(outcome: Outcome) -> Outcome:
    """Checkov counts what it can't work out as failed."""
    return Outcome.FAILED if outcome is Outcome.UNDECIDED else outcome


def _is_of(resource_type: str, framework: str) -> bool:
    return resource_type == framework


def _copied(unit: Unit, contents: dict[str, InputFile]) -> list[InputFile]:
    files = [contents[path] for path in unit.scanned]
    if unit.facts and unit.facts.installed:
        files = edited(files, local_sources(unit.facts))
    if not unit.named_vars:
        return files
    place = f"{unit.root}/zzzz-named.auto.tfvars".lstrip("/")
    content = contents[unit.named_vars].content
    if unit.named_vars.endswith(TERRAGRUNT):
        content = read_terragrunt(content.decode(), path=unit.named_vars).variable_file()
    return [*files, InputFile.of(place, content)]


def _without_source_rules(results: set[Result]) -> set[Result]:
    """The command line follows no installed module, so it is given local sources instead; this
    leaves out the rules about sources."""
    return {each for each in results if not each[0].startswith("CKV_TF_")}


def _of_chart(
    unit: Unit, contents: dict[str, InputFile], scan: ScanResult
) -> tuple[set[Result], set[Result]]:
    """Checkov's results for what Helm renders, and ours, both without lines: Checkov's refer to the
    manifests, ours to the templates."""
    import helm_python  # noqa: PLC0415  (only charts need it)

    with tempfile.TemporaryDirectory(prefix="im-compare-") as folder:
        for path in unit.chart:
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents[path].content)
        given = contents[unit.values].content.decode() if unit.values else "{}"
        with helm_python.Chart.load(Path(folder, unit.root)) as chart:
            made = chart.render(
                helm_python.values_from_yaml(given), name="release-name", namespace="default"
            )
    rendered = [
        InputFile.of(f"{unit.root}/{name.split('/', 1)[1]}".lstrip("/"), text.encode())
        for name, text in made.items()
        if text.strip() and not name.endswith("NOTES.txt")
    ]
    plain = [contents[path] for path in unit.scanned]
    theirs = {each for part in (rendered, plain) for each in _command_line(part, "kubernetes")}
    theirs = {each for each in theirs if each[0] != DEFAULT_NAMESPACE}
    ours = _ours(scan, "kubernetes", unit.scope.key)
    return _without_lines(theirs), _without_lines(ours)


def _of_overlay(
    unit: Unit,
    contents: dict[str, InputFile],
    scan: ScanResult,
    classified: Iterable[Classified],
) -> tuple[set[Result], set[Result]]:
    """Checkov's results for what Kustomize builds, or else for the manifests that the overlay
    lists, and ours, both without lines and files."""
    programs = overlay_programs()
    with tempfile.TemporaryDirectory(prefix="im-compare-") as folder:
        for path in unit.overlay:
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents[path].content)
        argv = arguments(programs[0], str(Path(folder, unit.root))) if programs else ["false"]
        done = subprocess.run(argv, capture_output=True, check=False)  # noqa: S603
    made = [InputFile.of("built.yaml", done.stdout)]
    if done.returncode:
        items = {item.file.path: item for item in classified if item.file.path in unit.overlay}
        made = [contents[path] for path in Overlay.of(unit.scope.key, unit.root, items).manifests]
    theirs = set(_command_line(made, "kubernetes")) if any(each.size for each in made) else set()
    ours = _ours(scan, "kubernetes", unit.scope.key)
    return _without_files(theirs), _without_files(ours)


def _without_files(results: Iterable[Result]) -> set[Result]:
    return {(rule, name, "", 0, 0, outcome) for rule, name, _, _, _, outcome in results}


def _without_lines(results: Iterable[Result]) -> set[Result]:
    return {(rule, name, file, 0, 0, outcome) for rule, name, file, _, _, outcome in results}


def _command_line(files: Iterable[InputFile], framework: str) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="im-compare-") as folder:
        for file in files:
            path = Path(folder, file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        yield from _records(Path(folder).resolve(), framework)


def _command_line_by_name(files: Iterable[InputFile], framework: str) -> Iterator[Result]:
    end = KNOWN_BY_NAME[framework]
    named = [InputFile.of(f"{file.path}/{end}", file.content) for file in files]
    for rule, resource, file, *rest in _command_line(named, framework):
        path = file.removesuffix(f"/{end}")
        yield (rule, path if resource == file else resource, path, *rest)  # type: ignore[misc]


def _records(folder: Path, framework: str) -> Iterator[Result]:
    argv = [str(SCANNER / "python"), "-m", "checkov.main", "--directory", str(folder)]
    argv += ["--framework", framework, "--output", "json", "--compact", "--skip-download"]
    done = subprocess.run(  # noqa: S603
        argv, capture_output=True, check=False, cwd=folder, env=_environment(), timeout=900
    )
    start = min((p for p in (done.stdout.find(b"{"), done.stdout.find(b"[")) if p >= 0), default=-1)
    if start < 0:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
    answer = json.loads(done.stdout[start:])
    for report in answer if isinstance(answer, list) else [answer]:
        for name, outcome in OUTCOMES.items():
            for record in report.get("results", {}).get(name, ()):
                yield _result(record, folder, framework, outcome)


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "CHECKOV_ENABLE_FOREACH_HANDLING": "False",
        "CHECKOV_ENABLE_MODULES_FOREACH_HANDLING": "False",
        "CKV_IGNORE_HIDDEN_DIRECTORIES": "False",
        "CKV_IGNORED_DIRECTORIES": ".terraform",
        "LOG_LEVEL": "CRITICAL",
    }


def _result(record: dict[str, Any], folder: Path, framework: str, outcome: Outcome) -> Result:
    file = os.path.relpath(record["file_abs_path"], folder)
    start, end = (max(1, int(line)) for line in ([*record["file_line_range"], 0, 0])[:2])
    name = str(record.get("resource_address") or record["resource"])
    resource, _ = resource_of(name, framework, file=file)
    return record["check_id"], resource[:400], file, start, max(start, end), outcome.value


def _in_no_scope(
    classified: Sequence[Classified], units: Sequence[Unit], scan: ScanResult
) -> Iterator[Result]:
    """What fails when Checkov sees the whole directory but in no scope of ours: by rule and place,
    since a module's resources have other names there. Files of overlays are left out, as it takes
    patches for objects and applies none; ``_of_overlay`` compares what is built."""
    ours = Counter(
        (check.rule, check.file, check.line_start)
        for check in scan.checks
        if check.outcome is not Outcome.PASSED
    )
    gaps = {gap.path for gap in scan.gaps} | {path for unit in units for path in unit.overlay}
    for framework, kinds in {
        "terraform": {FileKind.TERRAFORM, FileKind.TERRAFORM_VARS},
        "cloudformation": {FileKind.CLOUDFORMATION},
        "kubernetes": {FileKind.KUBERNETES},
    }.items():
        files = [
            item.file
            for item in classified
            if item.kind in kinds and item.scannable and item.role is Role.MAIN
        ]
        for result in _command_line(files, framework) if files else ():
            rule, resource, file, start, _, outcome = result
            place = (rule, file, start)
            if outcome != Outcome.FAILED or place in ours:
                continue
            if file not in gaps and not any(unit.lacks(resource) for unit in units):
                yield result


if __name__ == "__main__":
    if not shutil.which(str(SCANNER / "python")):
        sys.exit("There is no .venv-scanner here. Run make .venv-scanner/.installed first.")
    sys.exit(main())
