"""What is sent from a folder, a repository and a commit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infra_mind_client import baseline, config, credentials
from infra_mind_client.errors import CannotAssessError
from infra_mind_client.files import MARKER, MAX_FILE_BYTES, NothingToSendError, Source
from tests.client.reviews import finding

TF = b'resource "aws_s3_bucket" "a" {}\n'


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def put(folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    put(folder, infra__main_DOT_tf=TF, infra__old_DOT_tf=TF, readme_DOT_md=b"x")
    put(folder, _DOT_gitignore=b"*.tfvars\n")
    (folder / "infra" / "shared.tf").symlink_to("../common.tf")
    put(folder, common_DOT_tf=b"# shared\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def paths(source: Path) -> set[str]:
    return {path for path, _ in Source.of(source).read().files} - {MARKER}


def test_a_folder_is_sent_without_what_is_no_infrastructure(tmp_path: Path) -> None:
    put(
        tmp_path, a__main_DOT_tf=TF, readme_DOT_txt=b"x", Dockerfile=b"FROM x", logo_DOT_png=b"\x00"
    )
    put(tmp_path, _DOT_terraform__modules__m_DOT_tf=TF, node_modules__x__a_DOT_json=b"{}")
    put(tmp_path, _DOT_env=b"A=1", deploy_DOT_sh=b"true")
    assert paths(tmp_path) == {"a/main.tf", "Dockerfile", ".env", "deploy.sh"}


MANIFEST = b'{"Modules": [{"Key": "m", "Source": "a/b/c", "Dir": ".terraform/modules/m"}]}'


def test_installed_modules_are_sent_without_their_examples(
    repository: Path, tmp_path: Path
) -> None:
    first = git(repository, "rev-parse", "HEAD")
    put(repository, _DOT_gitignore=b".terraform/\n")
    root = repository / "infra" / ".terraform"
    for name, content in {
        "modules/modules.json": MANIFEST,
        "modules/m/main.tf": TF,
        "modules/m/README.md": b"x",
        "modules/m/examples/main.tf": TF,
        "modules/other/main.tf": TF,
        "providers/aws": b"x",
    }.items():
        put(root, **{name.replace("/", "__"): content})
    (root / "modules" / "m" / "link.tf").symlink_to("/etc/hostname")
    installed = {"infra/.terraform/modules/modules.json", "infra/.terraform/modules/m/main.tf"}
    assert {each for each in paths(repository) if ".terraform" in each} == installed
    assert {each for each in paths(repository / "infra") if ".terraform" in each} == installed
    before = Source.of(repository).read_commit(first)
    assert {each for each, _ in before.files if ".terraform" in each} == installed


def test_names_are_those_of_the_repository_wherever_one_stands(repository: Path) -> None:
    expected = {"infra/main.tf", "infra/old.tf", "infra/shared.tf"}
    assert paths(repository / "infra") == expected
    assert paths(repository) == {*expected, "common.tf"}
    assert paths(repository / "infra" / "main.tf") == {"infra/main.tf"}


def test_what_git_ignores_stays_and_what_is_new_goes(repository: Path) -> None:
    put(repository, infra__secret_DOT_tfvars=b"a=1", infra__new_DOT_tf=TF)
    assert paths(repository / "infra") == {
        *("infra/main.tf", "infra/old.tf", "infra/shared.tf", "infra/new.tf")
    }


def test_a_commit_is_read_as_it_was_with_its_links(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    (repository / "infra" / "old.tf").unlink()
    put(repository, infra__main_DOT_tf=b"# changed\n")
    upload = Source.of(repository / "infra").read_commit(first)
    content = dict(upload.files)
    assert set(content) == {"infra/main.tf", "infra/old.tf", "infra/shared.tf", MARKER}
    assert content["infra/main.tf"] == TF
    assert content["infra/shared.tf"] == b"# shared\n"


def test_the_base_is_where_the_branch_left(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-qb", "feature")
    git(repository, "checkout", "-q", "main")
    put(repository, infra__later_DOT_tf=TF)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "later")
    git(repository, "checkout", "-q", "feature")
    found = Source.of(repository).repository
    assert found is not None
    tip = found.resolve("main")
    assert tip is not None and tip != first
    assert found.fork_point(tip) == first
    assert found.resolve("--help") is None and found.resolve("no-such") is None


def test_links_that_lead_out_are_named_and_not_sent(repository: Path) -> None:
    (repository / "passwords.tf").symlink_to("/etc/passwd")
    (repository / "loop.tf").symlink_to("loop.tf")
    upload = Source.of(repository).read()
    assert upload.unread == {"passwords.tf": "a link that leads out of the folder"}
    assert not [content for _, content in upload.files if b"root:" in content]


def test_files_past_the_limits_are_named(tmp_path: Path) -> None:
    put(tmp_path, a_DOT_tf=TF, large_DOT_json=b" " * (MAX_FILE_BYTES + 1))
    assert Source.of(tmp_path).read().unread == {"large.json": "larger than 5 MB"}


def test_a_name_that_is_no_utf_8_is_named_as_far_as_it_goes(tmp_path: Path) -> None:
    put(tmp_path, a_DOT_tf=TF)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.tf")).write_bytes(TF)
    assert Source.of(tmp_path).read().unread == {"b?.tf": "not named in UTF-8"}


def test_nothing_to_send_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingToSendError, match="has no file to assess"):
        Source.of(tmp_path).read()
    with pytest.raises(NothingToSendError, match="There is no file"):
        Source.of(tmp_path / "no").read()


def test_a_broken_repository_is_read_as_a_folder_and_says_so(tmp_path: Path) -> None:
    put(tmp_path, _DOT_git__config_DOT_json=b"{}", a_DOT_tf=TF)
    source = Source.of(tmp_path)
    assert "git can't read the repository" in source.note
    assert paths(tmp_path) == {"a.tf"}


def test_the_ignore_file_is_written_as_in_gitignore(repository: Path) -> None:
    (repository / ".infra-mind-ignore").write_text("infra/*\n!infra/main.tf\n")
    assert paths(repository) == {"infra/main.tf", "common.tf"}


def test_git_runs_nothing_that_the_repository_names(repository: Path) -> None:
    git(repository, "config", "core.fsmonitor", "touch was-run; false")
    Source.of(repository).read()
    assert not list(repository.rglob("was-run"))


def test_options_are_those_of_the_repository(repository: Path) -> None:
    (repository / config.NAME).write_text('fail-on = "high"\nbaseline = "accepted.txt"\n')
    found, file = config.read(repository / "infra", known={"fail-on", "baseline"})
    assert found == {"fail_on": "high", "baseline": str(repository / "accepted.txt")}
    assert file == repository / config.NAME


@pytest.mark.parametrize("text", ['fail_on = "high"', "broken", 'baseline = "../../etc/passwd"'])
def test_options_that_are_wrong_are_refused(repository: Path, text: str) -> None:
    (repository / config.NAME).write_text(text)
    with pytest.raises(CannotAssessError, match=r"infra-mind\.toml"):
        config.read(repository, known={"fail-on", "baseline"})


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "baseline"
    baseline.write(file, [finding(2), finding(1)])
    assert baseline.read(file) == {finding(1).fingerprint, finding(2).fingerprint}
    file.write_text("not a fingerprint\n")
    with pytest.raises(CannotAssessError, match="baseline:1"):
        baseline.read(file)


def test_a_token_is_kept_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    old = os.umask(0)
    try:
        kept = credentials.keep("https://infra.example/", "im_secret")
    finally:
        os.umask(old)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert credentials.token_of("https://infra.example") == "im_secret"
    assert credentials.last_server() == "https://infra.example"
    assert credentials.forget("https://infra.example")
    assert credentials.token_of("https://infra.example") is None
