"""A program that scans hostile uploads as some user of this machine, and prints what it got back.

``python attackers.py SETTING FOLDER`` becomes the user that SETTING names and starts itself again
as ``python attackers.py scan FOLDER``: a process with its own environment, like a worker. FOLDER
contains a home with secrets, which that user may read and an upload may not.

``root`` changes nothing. ``user`` is an ordinary user. ``bare`` is one under a filter that refuses
``unshare``, ``clone`` with namespaces and ``mount``, as in a container with Docker's default
profile.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assessments.scan.types import ShardOutput

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "assessments" / "scan" / "scanner")]
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
PR_SET_NO_NEW_PRIVS = 38
CANARIES = {
    "key": "canary-of-the-secret-key",
    "password": "canary-of-the-database",
    "module": "canary-of-a-module",
    "sibling": "canary-of-a-sibling",
    "compose": "canary-of-a-compose-file",
    "env": "canary-of-an-env-file",
}
_libc = ctypes.CDLL(None, use_errno=True)


def prepare(folder: Path) -> None:
    """Secrets in the home of the scanning user: none may come back."""
    home, beside = folder / "home", folder / "beside"
    for each in (home, beside):
        each.mkdir(parents=True)
    (home / "secret_key").write_text(CANARIES["key"])
    (home / "servers.json").write_text(json.dumps({"password": CANARIES["password"]}))
    (beside / "main.tf").write_text(f'resource "aws_eip" "{CANARIES["module"]}" {{\n}}\n')
    (beside / "compose.yaml").write_text(
        f"services:\n  {CANARIES['compose']}:\n    image: a\n    privileged: true\n"
    )
    (beside / "web.env").write_text(f"TOKEN={CANARIES['env']}\n")


def uploads(folder: Path, *, sibling: int) -> dict[str, str]:
    """Hostile files, one folder each."""
    secrets = {
        "passwd": "/etc/passwd",
        "key": folder / "home" / "secret_key",
        "password": folder / "home" / "servers.json",
        "sibling": f"/proc/{sibling}/environ",
        "self": "/proc/self/environ",
        "relative": "../" * 12 + str(folder / "home" / "secret_key").lstrip("/"),
    }
    files = {}
    for name, path in secrets.items():
        for how, text in _reads(str(path)).items():
            files[f"{name}-{how}/main.tf"] = text
    up = "../" * 12 + str(folder / "beside").lstrip("/")
    for name, source in {
        "slashes": f"a//../../{up}",
        "plain": up,
        "absolute": folder / "beside",
    }.items():
        files[f"module-{name}/main.tf"] = f'module "m" {{\n  source = "{source}"\n}}\n'
    files["compose/compose.yaml"] = (
        f"include:\n  - {folder}/beside/compose.yaml\nservices:\n  web:\n    image: a:1\n"
        f"    env_file: {folder}/beside/web.env\n    extends:\n"
        f"      file: {folder}/beside/compose.yaml\n      service: {CANARIES['compose'][:6]}\n"
    )
    files["docker/Dockerfile"] = (
        f"# hadolint config={folder}/home/secret_key\nFROM a:1\nCOPY {folder}/home/secret_key /\n"
        f"ADD {up}/main.tf /\n"
    )
    return files


def _reads(path: str) -> dict[str, str]:
    each = 'resource "aws_eip" "e" {{\n  for_each = toset(split("\\n", {read}))\n}}\n'
    spaces = " " * 25
    parent = Path(path).parent
    return {
        "spaces": each.format(read=f'file{spaces}("{path}")'),
        "base64": each.format(read=f'filebase64{spaces}("{path}")'),
        "variable": f'variable "p" {{\n  default = "{path}"\n}}\n'
        + each.format(read="file(var.p)"),
        "comment": ('locals {\n  a = "/*"\n' + f'  b = file("{path}")\n' + '  c = "*/"\n}\n')
        + each.format(read="local.b"),
        "template": each.format(read=f'templatefile{spaces}("{path}", {{}})'),
        "fileset": each.format(read=f'join("\\n", fileset{spaces}("{parent}", "*"))'),
    }


BY_HAND = """
import base64, glob, os, sys
paths = sys.argv[1:]
def say(read):
    try:
        print(read())
    except Exception as error:
        print(type(error).__name__)
def through_link(path):
    link = os.environ["HOME"] + "/link"
    os.symlink(path, link)
    try:
        return open(link).read()
    finally:
        os.unlink(link)
for path in paths:
    say(lambda: open(path, errors="replace").read())
    say(lambda: open("../" * 12 + path.lstrip("/"), errors="replace").read())
    say(lambda: open("/proc/self/root" + path, errors="replace").read())
    say(lambda: through_link(path))
    say(lambda: os.listdir(os.path.dirname(path)))
say(lambda: [open(path, "rb").read() for path in glob.glob("/proc/[0-9]*/environ")])
"""


def scan(folder: Path) -> dict[str, object]:
    """What came back from the uploads (``product``), from a program that tries to read by hand
    (``by_hand``, and ``open``, if allowed), and digests of a mixed upload's scan (``sample``, and
    ``open_sample`` for an ordinary user)."""
    from assessments.scan.engines import run_shard
    from assessments.scan.intake import InputFile, read_upload
    from assessments.scan.merge import merge
    from assessments.scan.sandbox import Sandbox, ScanError, job_folder, probe, run_confined
    from assessments.scan.shards import make_shards

    python = ROOT / ".venv-scanner" / "bin" / "python"
    work = folder / "work"
    sandbox = Sandbox(scanner_python=python, work_dir=work)
    heard: list[str] = []

    weak = Sandbox(scanner_python=python, work_dir=work, level="open", allow_open=True)

    def scanned(files: list[InputFile], sandbox: Sandbox = sandbox) -> list[ShardOutput]:
        outputs = []
        for shard in make_shards(files):
            try:
                outputs.append(
                    run_shard(
                        shard,
                        files,
                        sandbox=sandbox,
                        on_progress=lambda done, total, message: heard.append(message),
                    )
                )
            except ScanError as error:
                heard.append(f"{shard.engine}: {type(error).__name__} {error}")
        return outputs

    def by_hand(sandbox: Sandbox) -> str:
        lines: list[bytes] = []
        paths = ["/etc/passwd", folder / "home" / "secret_key", folder / "home" / "servers.json"]
        paths += [f"/proc/{sibling.pid}/environ", f"/proc/{os.getpid()}/environ"]
        with job_folder([], sandbox=sandbox) as job:
            argv = [str(python), "-I", "-c", BY_HAND, *map(str, paths)]
            run_confined(
                argv, job=job, sandbox=sandbox, on_line=lines.append, should_stop=lambda: False
            )
        return b"\n".join(lines).decode(errors="replace")

    sibling = subprocess.Popen(["/bin/sleep", "600"], env={"CANARY": CANARIES["sibling"]})
    try:
        hostile = uploads(folder, sibling=sibling.pid)
        files = read_upload((path, text.encode()) for path, text in hostile.items())
        outputs = scanned(files)
        result = merge(outputs, files=files)
        product = [output.to_json().decode() for output in outputs] + [result.to_json().decode()]
        sample = ROOT / "assessments" / "samples" / "webshop"
        paths = sorted(path for path in sample.rglob("*") if path.is_file())
        good = read_upload((str(path.relative_to(sample)), path.read_bytes()) for path in paths)
        good += read_upload((path, text.encode()) for path, text in MIXED.items())
        open_sample = digest_of(scanned(good, weak)) if os.getuid() else ""
        seen = None
        with contextlib.suppress(ScanError):
            seen = by_hand(weak)
        return {
            "level": sandbox.confinement(),
            "failures": probe(python).failures,
            "uid": os.getuid(),
            "product": "\n".join([*product, *heard]),
            "by_hand": by_hand(sandbox),
            "open": seen,
            "left": sorted(str(path) for path in work.rglob("*")),
            "sample": digest_of(scanned(good)),
            "open_sample": open_sample,
        }
    finally:
        sibling.kill()
        sibling.wait()


MIXED = {
    "stack.yaml": (
        "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Bucket:\n    Type: AWS::S3::Bucket\n"
    ),
    ".github/workflows/ci.yml": (
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
    ),
    "deploy.sh": "export DB_PASSWORD=Tr0ub4dor-and-3-more\n",
    "broken/main.tf": 'resource "a" {\n',
}
"""Added to the sample: what it lacks, so that every engine has work."""


def digest_of(outputs: list[ShardOutput]) -> str:
    return hashlib.sha256(b"".join(output.to_json() for output in outputs)).hexdigest()


def leaks(text: str) -> list[str]:
    """The canaries in ``text``, plain or in base64 at any offset."""
    found = [name for name, canary in CANARIES.items() if canary in text]
    found += ["passwd"] if "root:x:0:" in text or "root:*:0:" in text else []
    for name, canary in CANARIES.items():
        for offset in range(3):
            coded = base64.b64encode(b" " * offset + canary.encode()).decode()[4:-4]
            found += [f"{name} in base64"] if coded in text else []
    return found


def become(setting: str) -> None:
    """Enter the setting that ``setting`` names. Raises OSError if this process may not."""
    import seccomp  # type: ignore[import-not-found]

    if setting != "root" and os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        open_the_way([ROOT, Path(sys.base_prefix), Path(sys.prefix)])
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    if setting == "bare":
        if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        seccomp.refuse_namespaces()


def open_the_way(paths: list[Path]) -> None:
    """In a mount namespace of our own, give everybody access to ``paths``: otherwise an interpreter
    under /root is out of an ordinary user's reach."""
    wanted = {path.resolve() for path in paths}
    blocked = {
        next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None)
        for path in wanted
    } - {None}
    if not blocked:
        return
    _done(_libc.unshare(CLONE_NEWNS))
    _done(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    held = {path: os.open(path, os.O_PATH) for path in wanted}
    for folder in blocked:
        _done(_libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"mode=755"))
    for path, fd in held.items():
        if any(folder in path.parents for folder in blocked):
            path.mkdir(parents=True, exist_ok=True)
            source = f"/proc/self/fd/{fd}".encode()
            _done(_libc.mount(source, str(path).encode(), None, MS_BIND | MS_REC, None))
        os.close(fd)


def _done(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(what: str, folder: Path) -> None:
    if what == "scan":
        print(json.dumps(scan(folder)))
        return
    become(what)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), "LANG": "C.UTF-8"}
    argv = [sys.executable, "-W", "ignore", str(Path(__file__).resolve()), "scan", str(folder)]
    os.execve(sys.executable, argv, environment)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
