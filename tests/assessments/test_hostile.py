"""Uploads that try to break out, to read what is not theirs, to leak, or to exhaust the machine."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from assessments.scan import warm
from assessments.scan.classify import classify
from assessments.scan.documents import DocumentError, read_yaml
from assessments.scan.engines import run_shard
from assessments.scan.intake import InputFile
from assessments.scan.merge import merge
from assessments.scan.redact import Redactor
from assessments.scan.sandbox import (
    SCANNER,
    EngineKilled,
    Kill,
    Level,
    OpenSandbox,
    ProcessLimits,
    Sandbox,
    ScanCancelled,
    ScanFailed,
    ScanTimeout,
    job_folder,
    run_confined,
)
from assessments.scan.shards import Shard, make_shards
from assessments.scan.types import CoverageStatus, ShardOutput
from tests.assessments.scanning import (
    PLAIN,
    SAMPLE,
    SCANNER_PYTHON,
    WARM,
    coverage_of,
    engine_processes,
    files_of,
    folder_files,
    probe_all,
    scan,
    scan_outputs,
)

BUCKET = 'resource "aws_s3_bucket" "good" {\n  bucket = "good"\n}\n'
ESCAPES = {
    "file": 'locals {\n  x = file("../../../../../../etc/passwd")\n}\n',
    "file from the module": 'locals {\n  x = file("${path.module}/../../../../etc/passwd")\n}\n',
    "absolute file": 'locals {\n  x = filebase64("/etc/passwd")\n}\n',
    "home": 'locals {\n  x = file("~/.ssh/id_rsa")\n}\n',
    "template": 'locals {\n  x = templatefile("../../secret.tpl", {})\n}\n',
    "fileset": 'locals {\n  x = fileset("/etc", "*")\n}\n',
    "module": 'module "m" {\n  source = "../../.."\n}\n',
    "absolute module": 'module "m" {\n  source = "/etc"\n}\n',
}


@pytest.mark.parametrize("source", ESCAPES.values(), ids=ESCAPES.keys())
def test_source_that_points_outside_the_upload_is_named_and_reads_nothing_there(
    source: str,
) -> None:
    result = scan(files_of(**{"app/evil.tf": source, "app/good.tf": BUCKET}))
    gap = coverage_of(result, "app/evil.tf")
    assert (gap.status, gap.line) == (CoverageStatus.PARTLY_READ, 2)
    assert "outside the upload" in gap.reason
    assert [resource.address for resource in result.resources] == ["aws_s3_bucket.good"]
    assert "root:x" not in result.to_json().decode()


def test_an_escape_in_json_syntax_is_named_too() -> None:
    source = json.dumps(
        {"locals": {"x": '${file("../../../etc/passwd")}'}, "module": {"m": {"source": "./m"}}}
    )
    gap = classify(InputFile.of("evil.tf.json", source.encode())).gap
    assert gap is not None
    assert "outside the upload" in gap.reason


def test_a_path_that_stays_inside_is_no_escape() -> None:
    source = (
        'locals {\n  x = file("${path.module}/../policies/a.json")\n  # file("/etc/passwd") is only'
        " a comment\n}\n"
    )
    assert classify(InputFile.of("live/main.tf", source.encode())).gap is None


def test_a_path_hidden_in_a_variable_reads_nothing_from_outside() -> None:
    source = (
        'variable "p" {\n  default = "/etc/passwd"\n}\nresource "aws_instance" "a" {\n  user_data ='
        ' file(var.p)\n  instance_type = "t3.micro"\n}\n'
    )
    result = scan(files_of(**{"main.tf": source}))
    assert [resource.address for resource in result.resources] == ["aws_instance.a"]
    assert "root:" not in result.to_json().decode()


def _confined(code: str, *, sandbox: Sandbox = PLAIN) -> list[str]:
    lines: list[bytes] = []
    with job_folder(files_of(**{"a.tf": "x"}), sandbox=sandbox) as job:
        argv = [str(SCANNER_PYTHON), "-I", "-c", code]
        status = run_confined(
            argv, job=job, sandbox=sandbox, on_line=lines.append, should_stop=lambda: False
        )
    return [line.decode() for line in lines] if status == 0 else [f"status {status}"]


LEVELS: list[Level] = ["isolated", "confined"]


@pytest.fixture(params=LEVELS)
def held(request: pytest.FixtureRequest) -> Sandbox:
    """The plain way, at each level that this machine allows."""
    level: Level = request.param
    failures = probe_all()
    if level in failures:
        pytest.skip(f"{level} isn't available here: {failures[level]}")
    return replace(PLAIN, level=level)


def test_an_engine_sees_no_environment_no_files_and_no_network_of_ours(
    held: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere")
    code = """
import os, socket
def tried(act, *values):
    try:
        return bool(act(*values))
    except OSError:
        return False
print(sorted(os.environ))
print(*(tried(open, path) for path in ("/etc/passwd", "/proc/self/environ", "/proc/1/status")))
print(*(tried(os.listdir, path) for path in ("/", "/tmp", "/proc", "/etc", "/home", "..")))
print(os.listdir('.'))
print(*(tried(socket.socket, kind) for kind in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)))
print(tried(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM), tried(socket.socketpair))
"""
    environment, files, folders, inside, network, pairs = _confined(code, sandbox=held)
    assert (
        environment
        == "['HOME', 'LANG', 'PATH', 'PYTHONDONTWRITEBYTECODE', 'PYTHONHASHSEED', 'TMPDIR']"
    )
    assert files == "False False False"
    if held.level == "confined":
        assert folders == " ".join(["False"] * 6)
    assert inside == "['a.tf']"
    assert network == "False False False"
    assert pairs == "False True"


def test_an_engine_is_not_root_and_cannot_change_the_upload_or_what_lies_outside(
    held: Sandbox, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("as it was")
    outside.chmod(0o666)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    code = f"""
import os, sys
sys.stdout.reconfigure(line_buffering=True)
outside = {str(outside)!r}
def tried(act, *values):
    try:
        act(*values)
    except OSError:
        return False
    return True
print(os.getuid(), os.geteuid())
print(tried(open, 'a.tf', 'w'), tried(os.remove, 'a.tf'), tried(open, outside, 'a'))
tried(os.chmod, outside, 0o600), tried(os.utime, outside, (1, 1)), tried(os.truncate, outside, 0)
tried(os.rename, outside, outside + '2'), tried(os.link, outside, os.environ['HOME'] + '/link')
print(tried(open, os.environ['HOME'] + '/scratch', 'w'))
"""
    before = outside.stat()
    ids, changes, scratch = _confined(code, sandbox=held)
    assert "0" not in ids.split()
    assert changes == "False False False"
    assert scratch == "True"
    after = outside.stat()
    assert outside.read_text() == "as it was"
    assert (after.st_mode, after.st_mtime, after.st_nlink) == (
        before.st_mode,
        before.st_mtime,
        1,
    )


REFUSED = """
import ctypes, os, signal, sys
sys.path.insert(0, sys.argv[1] if len(sys.argv) > 1 else SCANNER)
import seccomp
libc = ctypes.CDLL(None, use_errno=True)
calls = {**seccomp.NAMESPACE_CALLS, **seccomp.OTHER_PROCESSES, **seccomp.NETWORK,
         **seccomp.FILES_BY_THE_BACK_DOOR, **seccomp.KERNEL}
zero = [ctypes.c_long(0)] * 6
for name, call in calls.items():
    if (number := seccomp._here(call)) is not None:
        if libc.syscall(ctypes.c_long(number), *zero) != -1 or ctypes.get_errno() not in (1, 13):
            print(name)
def tried(number, *values):
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_long(v) for v in values])
for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000):
    if tried(seccomp._here(seccomp.CLONE), flag | signal.SIGCHLD, 0, 0, 0, 0) != -1:
        print("clone", hex(flag))
if tried(seccomp._here(seccomp.CLONE3), 0, 0) != -1 or ctypes.get_errno() != 38:
    print("clone3")
other = os.getpid() + 1
if tried(seccomp._here(seccomp.KILL_CALL), other, 0) != -1 or ctypes.get_errno() != 1:
    print("kill")
if tried(seccomp._here(seccomp.PRLIMIT64), other, 7, 0, 0) != -1 or ctypes.get_errno() != 1:
    print("prlimit of another")
if tried(500) != -1 or ctypes.get_errno() != 38:
    print("an unknown call")
os.kill(os.getpid(), 0)
print("done")
"""


def test_the_kernel_refuses_each_system_call_that_no_engine_needs(held: Sandbox) -> None:
    code = f"SCANNER = {str(SCANNER)!r}\n{REFUSED}"
    assert _confined(code, sandbox=held) == ["done"]


def test_nothing_is_scanned_where_engines_cannot_be_shut_in_unless_the_operator_says_so() -> None:
    files = files_of(**{"main.tf": BUCKET, "Dockerfile": "FROM a:1\n"})
    weak = replace(WARM, level="open")
    for shard in make_shards(files):
        if shard.engine != "resources":
            with pytest.raises(OpenSandbox, match="ALLOW_OPEN_SANDBOX=1"):
                run_shard(shard, files, sandbox=weak, on_progress=lambda *_: None)


def test_the_sample_scans_alike_at_every_level() -> None:
    """In each setting of test_attacks.py, too."""
    files = folder_files(SAMPLE)
    levels = [level for level in LEVELS if level not in probe_all()]
    first, *others = [
        b"".join(
            output.to_json() for output in scan_outputs(files, sandbox=replace(WARM, level=level))
        )
        for level in levels
    ]
    assert len(first) > 10_000
    assert [other == first for other in others] == [True] * len(others)


def test_what_is_refused_before_an_engine_starts_needs_no_sandbox() -> None:
    """Which is why it holds at the open level, too."""
    module = 'module "m" {\n  count = 30\n  source = "./m"\n}\n'
    outside = 'resource "aws_eip" "a" {\n  tags = { a = file("/etc/passwd") }\n}\n'
    files = files_of(
        **{
            "outside/main.tf": outside,
            "bomb/main.tf": module,
            "bomb/m/main.tf": module,
            "bomb/m/m/main.tf": 'resource "aws_eip" "a" {}\n',
            ".checkov.yaml": "skip-check: [CKV2_AWS_19]\n",
        }
    )
    reasons = {gap.path: gap.reason for gap in merge([], files=files).gaps}
    assert "is outside the upload" in reasons["outside/main.tf"]
    assert "expand to more than 500 instances" in reasons["bomb/main.tf"]
    assert "not followed" in reasons[".checkov.yaml"]
    seen = {
        path for shard in make_shards(files) if shard.engine != "secrets" for path in shard.paths
    }
    assert seen == {"outside/main.tf"}


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("x = bytearray(10**12)", ProcessLimits()),
        (
            "open(__import__('os').environ['HOME'] + '/big', 'wb').write(bytes(10**8))",
            ProcessLimits(file_bytes=1000),
        ),
        (
            (
                "import threading, time\n[threading.Thread(target=time.sleep, args=(2,)).start()"
                " for _ in range(9999)]"
            ),
            None,
        ),
        ("while True: pass", ProcessLimits(cpu_s=1)),
    ],
    ids=["memory", "file", "threads", "processor"],
)
def test_each_limit_ends_an_engine_that_passes_it(code: str, limits: ProcessLimits | None) -> None:
    if limits is None:
        limits = ProcessLimits(processes=32)
        if os.getuid() != 0:
            pytest.skip(
                "the process limit counts the whole user, so it is loose for one that is not root"
            )
    sandbox = replace(PLAIN, limits=limits)
    try:
        assert _confined(code, sandbox=sandbox) == ["status 1"]
    except ScanFailed as error:
        assert "system ended the engine" in str(error)
    assert engine_processes() == []


def test_a_scan_past_its_wall_limit_is_ended_and_nothing_is_left() -> None:
    sandbox = replace(PLAIN, limits=ProcessLimits(wall_s=1))
    with pytest.raises(ScanTimeout):
        _confined("import time; time.sleep(60)", sandbox=sandbox)
    assert engine_processes() == []


def test_cancel_ends_children_that_would_leave_the_group_and_ignore_sigterm(
    held: Sandbox,
) -> None:
    code = (
        "import os, signal, time  # marked-for-cancel\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n    try:\n        os.setsid()\n    except OSError:\n        pass\n"
        "    os.fork()\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    ready, cancelled = threading.Event(), threading.Event()
    kills: list[Kill] = []

    def cancel() -> None:
        ready.wait(10)
        assert engine_processes("marked-for-cancel") != []
        cancelled.set()
        kills[0]()

    thread = threading.Thread(target=cancel)
    thread.start()
    started = time.monotonic()
    with job_folder([], sandbox=held) as job, pytest.raises((ScanCancelled, ScanFailed)):
        run_confined(
            [str(SCANNER_PYTHON), "-I", "-c", code],
            job=job,
            sandbox=held,
            on_line=lambda line: ready.set(),
            should_stop=cancelled.is_set,
            register=kills.append,
        )
    thread.join()
    assert time.monotonic() - started < 5
    _wait_until(lambda: engine_processes("marked-for-cancel") == [])


@pytest.mark.parametrize("sandbox", [WARM, PLAIN], ids=["warm", "plain"])
def test_cancelling_a_running_scan_ends_its_processes_at_once(sandbox: Sandbox) -> None:
    files, shard = _many_pods(900)
    moving, cancelled = threading.Event(), threading.Event()
    kills: list[Kill] = []
    times: list[float] = []

    def cancel() -> None:
        moving.wait(60)
        assert engine_processes() != []
        times.append(time.monotonic())
        cancelled.set()
        kills[-1]()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(ScanCancelled):
        run_shard(
            shard,
            files,
            sandbox=sandbox,
            on_progress=lambda done, total, message: moving.set(),
            should_stop=cancelled.is_set,
            register=kills.append,
        )
    thread.join()
    assert time.monotonic() - times[0] < 5
    assert engine_processes() == []


def _many_pods(count: int) -> tuple[list[InputFile], Shard]:
    pods = "---\n".join(
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p{n}\nspec:\n  containers: []\n"
        for n in range(count)
    )
    files = files_of(**{"pods.yaml": pods})
    return files, next(shard for shard in make_shards(files) if shard.framework == "kubernetes")


@pytest.mark.parametrize("sandbox", [WARM, PLAIN], ids=["warm", "plain"])
def test_an_engine_that_the_system_kills_is_started_once_more(sandbox: Sandbox) -> None:
    """As a kernel that is short of memory does. It failed the run before, though nothing was wrong
    with its files."""
    files, shard = _many_pods(150)
    undisturbed = run_shard(shard, files, sandbox=WARM, on_progress=lambda *_: None)
    output, killed = _scan_and_kill(shard, files, times=1, sandbox=sandbox)
    assert output.to_json() == undisturbed.to_json()
    assert len(killed) == 1
    assert engine_processes() == []


def test_an_engine_that_the_system_kills_twice_is_given_up() -> None:
    files, shard = _many_pods(150)
    with pytest.raises(EngineKilled, match="short of memory"):
        _scan_and_kill(shard, files, times=2, sandbox=WARM)
    assert engine_processes() == []


def _scan_and_kill(
    shard: Shard, files: list[InputFile], *, times: int, sandbox: Sandbox
) -> tuple[ShardOutput, list[psutil.Process]]:
    """Kills one process of each of the engine's first ``times`` starts; the one that waits for it
    ends by itself."""
    started: list[Kill] = []
    killed: list[psutil.Process] = []

    def kill(done: int, total: int, message: str) -> None:
        if len(killed) == min(times, len(started)):
            return
        engine = next((p for p in engine_processes() if not p.children()), None)
        if engine:
            killed.append(engine)
            engine.kill()

    output = run_shard(shard, files, sandbox=sandbox, on_progress=kill, register=started.append)
    return output, killed


def test_processor_time_that_is_used_up_is_named_at_each_level(held: Sandbox) -> None:
    """The kernel kills a namespace's first process for it: that looked like a want of memory."""
    sandbox = replace(held, limits=ProcessLimits(cpu_s=1))
    with pytest.raises(ScanFailed, match="used up its processor time") as caught:
        _confined("while True: pass", sandbox=sandbox)
    assert not isinstance(caught.value, EngineKilled)


def test_a_warm_server_that_is_gone_is_replaced_and_one_that_cannot_start_is_done_without(
    tmp_path: Path,
) -> None:
    files = files_of(**{"main.tf": BUCKET})
    expected = scan(files, sandbox=WARM).to_json()
    warm.socket_path(WARM).unlink()
    assert scan(files, sandbox=WARM).to_json() == expected
    nowhere = replace(WARM, lifeline_pid=2**22 - 1, work_dir=tmp_path)
    assert (
        scan(files, sandbox=nowhere, engines=["tfparse"]).resources
        == scan(files, engines=["tfparse"]).resources
    )


def test_the_warm_server_ends_with_the_process_that_it_was_started_for(tmp_path: Path) -> None:
    lifeline = subprocess.Popen(["/bin/sleep", "120"])
    sandbox = replace(WARM, work_dir=tmp_path, lifeline_pid=lifeline.pid)
    scan(files_of(**{"main.tf": BUCKET}), sandbox=sandbox, engines=["tfparse"])
    socket = str(warm.socket_path(sandbox))

    def servers() -> list[int]:
        return [
            p.pid
            for p in psutil.process_iter(["cmdline"])
            if socket in " ".join(p.info["cmdline"] or [])
        ]

    assert len(servers()) == 1
    lifeline.kill()
    lifeline.wait()
    _wait_until(lambda: servers() == [])
    assert not Path(socket).exists()


def test_a_count_of_a_million_is_bounded_and_said() -> None:
    source = 'resource "aws_instance" "a" {\n  count = 1000000\n  instance_type = "t3.micro"\n}\n'
    started = time.monotonic()
    result = scan(files_of(**{"main.tf": source}))
    assert time.monotonic() - started < 30
    assert len(result.resources) == 100
    gap = coverage_of(result, "main.tf")
    assert (gap.status, gap.line) == (CoverageStatus.PARTLY_READ, 2)


def test_billion_laughs_is_refused_with_its_line() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = "apiVersion: v1\nkind: ConfigMap\n" + "\n".join(lines)
    started = time.monotonic()
    result = scan(files_of(**{"laughs.yaml": text}))
    assert time.monotonic() - started < 5
    gap = coverage_of(result, "laughs.yaml")
    assert gap.status is CoverageStatus.FAILED
    assert gap.line is not None
    assert "aliases" in gap.reason


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 5000 + "]" * 5000,
        "&a [*a]",
        "a: &a\n  b: *a\n",
        "a: *nowhere",
        "- " * 3000 + "x",
    ],
    ids=["flow depth", "cycle", "mapping cycle", "unknown alias", "block depth"],
)
def test_twisted_yaml_is_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        read_yaml(text)


def test_deep_json_and_a_very_long_line_are_gaps() -> None:
    contents: dict[str, str | bytes] = {
        "deep.json": '{"AWSTemplateFormatVersion": ' + "[" * 200_000,
        "long.tf": 'x = "' + "a" * 4_000_000 + '"\n',
        "latin.tf": b'# caf\xe9\nresource "a" "b" {}\n',
        "nul.yaml": b"kind: \0",
    }
    result = scan(files_of(**contents))
    assert {entry.path: entry.line for entry in result.coverage} == {
        "deep.json": None,
        "long.tf": 1,
        "latin.tf": 1,
        "nul.yaml": 1,
    }
    assert {entry.status for entry in result.coverage} == {CoverageStatus.FAILED}


@pytest.mark.parametrize(
    "text",
    [
        'x = file("' + "${a}" * 200_000,
        "x = file(" * 200_000,
        'module "m" {\n' * 200_000,
        'module "m" {\n  source = "./m"\n}\n' * 50_000,
        "name: a" + "\n" * 900_000,
        "-----BEGIN PRIVATE KEY-----\n" * 100_000,
        "password = " * 200_000,
        ("a-" * 400 + "\n") * 2_000,
        (" " * 900 + "\n") * 2_000,
        "://a:" * 300_000,
    ],
    ids=[
        "interpolation",
        "calls",
        "blocks",
        "sources",
        "newlines",
        "keys",
        "assignments",
        "words",
        "blanks",
        "urls",
    ],
)
def test_text_made_to_slow_patterns_down_is_read_in_seconds(text: str) -> None:
    file = InputFile.of("main.tf", text.encode())
    started = time.process_time()
    classify(file)
    redactor = Redactor.of([file])
    redactor.text(text)
    assert time.process_time() - started < 10


def test_a_caller_that_names_a_held_back_file_does_not_get_it_scanned() -> None:
    files = files_of(**{"evil.tf": ESCAPES["file"], "good.tf": BUCKET})
    shard = next(shard for shard in make_shards(files) if shard.engine == "tfparse")
    forged = shard.replace(paths=["evil.tf", "good.tf"])
    output = run_shard(forged, files, sandbox=WARM, on_progress=lambda done, total, message: None)
    assert {resource.file for resource in output.resources} == {"good.tf"}


SECRETS = {
    "AKIA3XAMPL3K3YZ7QWER",
    "wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEY9",
    "hunter2-Xy77",
    "s3cr3t-in-a-url",
    "c3VwZXItc2VjcmV0LXZhbHVl",
    "MIIEowIBAAKCAQEA7bq1ExampleExampleExample0123456789abcdefghij",
    "Zx9-token-in-a-compose-list",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "correct-Horse-9-battery",
}


SECRET_FILES = {
    "main.tf": (
        'provider "aws" {\n  access_key = "AKIA3XAMPL3K3YZ7QWER"\n  secret_key ='
        ' "wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEY9"\n}\nresource "aws_db_instance" "d" {\n '
        ' password = "hunter2-Xy77"\n  identifier = "x-hunter2-Xy77"\n}\nresource "aws_instance"'
        ' "i" {\n  user_data = "export DB=postgres://app:s3cr3t-in-a-url@db/app"\n  tags = { note ='
        ' "ghp_0123456789abcdefghijABCDEFGHIJ012345" }\n}\n'
    ),
    "secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\ndata:\n  any:"
        " c3VwZXItc2VjcmV0LXZhbHVl\nstringData:\n  key.pem: |\n    -----BEGIN RSA PRIVATE"
        " KEY-----\n    MIIEowIBAAKCAQEA7bq1ExampleExampleExample0123456789abcdefghij\n    -----END"
        " RSA PRIVATE KEY-----\n"
    ),
    "pod.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n    - name: c\n    "
        "  image: a\n      env:\n        - name: DB_PASSWORD\n          value:"
        " correct-Horse-9-battery\n"
    ),
    "compose.yaml": (
        "services:\n  a:\n    image: a\n    environment:\n      -"
        " API_TOKEN=Zx9-token-in-a-compose-list\n"
    ),
    "Dockerfile": "FROM a:1\nENV API_TOKEN=Zx9-token-in-a-compose-list\nADD . /x\n",
}


def test_no_secrets_value_comes_out_of_any_engine() -> None:
    files = files_of(**SECRET_FILES)
    result = scan(files)
    text = result.to_json().decode()
    assert [secret for secret in SECRETS if secret in text] == []
    assert any(check.rule.startswith("CKV_SECRET") for check in result.checks)
    assert any(resource.address == "aws_db_instance.d" for resource in result.resources)


def test_redaction_leaves_what_agents_need() -> None:
    source = (
        'resource "aws_instance" "i" {\n  metadata_options {\n    http_tokens = "required"\n  }\n '
        ' key_name = "ops"\n  instance_type = "m7g.2xlarge"\n  iam_instance_profile ='
        ' "web-profile"\n}\n'
    )
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  automountServiceAccountToken:"
        " false\n  containers:\n"
        "    - name: c\n      image: registry.example.com/shop/api@sha256:"
        "9b2f1c3a5d7e8f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd\n"
    )
    resources = {
        r.type: r.attributes
        for r in scan(files_of(**{"main.tf": source, "pod.yaml": pod})).resources
    }
    assert resources["aws_instance"]["metadata_options"] == {"http_tokens": "required"}
    assert resources["aws_instance"]["instance_type"] == "m7g.2xlarge"
    assert resources["Pod"]["spec"]["automountServiceAccountToken"] is False
    assert resources["Pod"]["spec"]["containers"][0]["image"].endswith("0123456789abcd")


def test_attributes_are_bounded() -> None:
    values = {f"key{n:05}": "v" * 100 for n in range(3000)}
    text = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": values}
    )
    (resource,) = scan(files_of(**{"big.json": text}), engines=["resources"]).resources
    assert len(json.dumps(resource.attributes)) <= 32_000
    assert resource.attributes["kind"] == "ConfigMap"


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_dockerfile_of_twenty_thousand_lines_is_cut_and_that_is_said() -> None:
    text = "FROM debian:12\n" + ("RUN apt-get install curl\n" + "# why\n" * 9) * 2_000
    started = time.monotonic()
    result = scan(files_of(Dockerfile=text), engines=["checkov", "hadolint"])
    assert time.monotonic() - started < 120
    assert {check.engine for check in result.checks} == {"checkov", "hadolint"}
    gap = coverage_of(result, "Dockerfile")
    assert (gap.status, gap.line) == (CoverageStatus.PARTLY_READ, 2_001)
    assert "first 2,000 lines" in gap.reason
