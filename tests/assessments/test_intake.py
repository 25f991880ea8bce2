"""Intake: what is unpacked, and what is refused with which message."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest

from assessments.scan.intake import Limits, UploadError, read_upload


def _zip(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def test_plain_files_and_archives_become_one_sorted_list() -> None:
    files = read_upload(
        [
            ("web.tf", b"a"),
            ("k8s.zip", _zip({"k8s/cart.yaml": b"b"})),
            ("more.tar.gz", _tar((_member("./app/Dockerfile"), b"c"))),
        ]
    )
    assert [(file.path, file.content) for file in files] == [
        ("app/Dockerfile", b"c"),
        ("k8s/cart.yaml", b"b"),
        ("web.tf", b"a"),
    ]
    assert files[2].size == 1
    assert files[2].sha256 == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


def test_a_packaged_chart_in_a_folder_is_a_file_of_it() -> None:
    packed = _tar((_member("redis/Chart.yaml"), b"name: redis"))
    files = read_upload(
        [("charts/redis-1.tgz", packed), ("app/charts/redis-1.tgz", packed), ("up.tgz", packed)]
    )
    assert [file.path for file in files] == [
        "app/charts/redis-1.tgz",
        "charts/redis-1.tgz",
        "redis/Chart.yaml",
    ]


def test_bytes_that_are_not_text_are_no_reason_to_refuse_the_upload() -> None:
    assert read_upload([("a.tf", b"\xff\xfe\x00")])[0].content == b"\xff\xfe\x00"


def test_version_control_and_system_clutter_is_left_out() -> None:
    archive = _zip(
        {
            ".git/config": b"x",
            "__MACOSX/._a.tf": b"x",
            ".terraform/modules/m.tf": b"x",
            "a.tf": b"x",
        }
    )
    assert [file.path for file in read_upload([("p.zip", archive)])] == ["a.tf"]


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../a.tf",
        "x/../../a.tf",
        "C:\\a.tf",
        "..\\a.tf",
        "a\0.tf",
        "a\nb.tf",
        "\u202etf.a",
        "",
    ],
)
def test_a_name_that_could_leave_the_upload_is_refused(name: str) -> None:
    with pytest.raises(UploadError) as refusal:
        read_upload([(name, b"x")])
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize("name", ["../../evil.tf", "/evil.tf"])
def test_a_zip_member_that_could_leave_the_upload_is_refused(name: str) -> None:
    with pytest.raises(UploadError, match=r"outside the upload|absolute"):
        read_upload([("p.zip", _zip({name: b"x"}))])


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes) -> None:
    with pytest.raises(UploadError, match="link or a device") as refusal:
        read_upload([("p.tgz", _tar((_member("passwd.tf", kind, "/etc/passwd"), b"")))])
    assert refusal.value.path == "passwd.tf"


def test_a_symlink_in_a_zip_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("passwd.tf")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UploadError, match="link or a device"):
        read_upload([("p.zip", out.getvalue())])


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = _zip({f"{n}.tf": bytes(4 * 1024 * 1024) for n in range(12)})
    assert len(bomb) < 100_000
    with pytest.raises(UploadError, match="times its size"):
        read_upload([("bomb.zip", bomb)])


def test_a_tar_bomb_hidden_in_clutter_is_refused() -> None:
    bomb = _tar((_member(".git/pack"), bytes(64 * 1024 * 1024)), (_member("a.tf"), b"x"))
    with pytest.raises(UploadError, match="times its size"):
        read_upload([("bomb.tar.gz", bomb)])


def test_a_header_that_lies_about_its_size_does_not_help() -> None:
    content = _zip({"a.tf": bytes(300_000)})
    # Both headers of the member claim 10 bytes.
    lying = content.replace((300_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != content
    with pytest.raises(UploadError):
        read_upload([("p.zip", lying)], limits=Limits(file_bytes=1000))


def test_each_bound_refuses_with_words() -> None:
    with pytest.raises(UploadError, match="larger than"):
        read_upload([("a.tf", bytes(11))], limits=Limits(file_bytes=10))
    with pytest.raises(UploadError, match="unpack to more than"):
        read_upload([("a.tf", bytes(9)), ("b.tf", bytes(9))], limits=Limits(total_bytes=10))
    with pytest.raises(UploadError, match="More than 1 files"):
        read_upload([("a.tf", b"a"), ("b.tf", b"b")], limits=Limits(files=1))
    with pytest.raises(UploadError, match="too long"):
        read_upload([("a" * 300 + ".tf", b"a")])
    with pytest.raises(UploadError, match="folders deep"):
        read_upload([("a/" * 40 + "a.tf", b"a")])


def test_a_path_that_is_there_twice_is_refused() -> None:
    with pytest.raises(UploadError, match="twice"):
        read_upload([("a.tf", b"a"), ("./a.tf", b"b")])
    with pytest.raises(UploadError, match="both a file and a folder"):
        read_upload([("a", b"a"), ("a/b.tf", b"b")])


@pytest.mark.parametrize("name", ["p.zip", "p.tar.gz"])
def test_a_broken_archive_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(UploadError, match="Pack it again"):
        read_upload([(name, b"PK\x03\x04 this is no archive")])


def test_a_truncated_tar_is_refused() -> None:
    archive = _tar((_member("a.tf"), bytes(range(256)) * 100))
    with pytest.raises(UploadError):
        read_upload([("p.tgz", archive[: len(archive) // 2])])


def test_files_alike_but_for_case_are_two_files() -> None:
    found = read_upload(
        [("a.tf", b"1"), ("A.tf", b"2"), ("x/Dockerfile", b""), ("X/Dockerfile", b"")]
    )
    assert [file.path for file in found] == ["A.tf", "X/Dockerfile", "a.tf", "x/Dockerfile"]
