"""Landlock: which files this process may touch, which ports, which processes it may signal. No
privilege is needed. Standard library only; Linux 5.13 or later.

Numbers and structures are those of ``linux/landlock.h``. Each version of the interface adds rights;
what this kernel does not support is covered by ``seccomp.py``, so version 1 is enough.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
GET_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
MAKE_SYM, REFER, TRUNCATE = 1 << 12, 1 << 13, 1 << 14
KNOWN_RIGHTS = {1: 1 << 13, 2: 1 << 14, 3: 1 << 15, 4: 1 << 15, 5: 1 << 16}
"""By version: one past the last right on files. From version 5 on it is 16 rights."""
NETWORK_RIGHTS, SCOPES = 0b11, 0b11  # bind and connect (version 4); abstract sockets, signals (6)

READ = READ_FILE | READ_DIR
USE = READ | EXECUTE
ALL_OF_A_HOME = (
    READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER | TRUNCATE
)
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def version() -> int:
    """The version of the kernel's interface. Raises OSError if there is none."""
    return _call("landlock", CREATE_RULESET, None, 0, GET_VERSION)


def ruleset(rules: Iterable[tuple[str, int]]) -> int:
    """A rule set as an open file: everything is refused except ``rules``, (path, rights) pairs that
    apply to everything beneath. Paths that don't exist are skipped. Raises OSError."""
    known = version()
    files = KNOWN_RIGHTS.get(known, KNOWN_RIGHTS[5]) - 1
    fields = [files]
    if known >= 4:
        fields.append(NETWORK_RIGHTS)
    if known >= 6:
        fields.append(SCOPES)
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    made = _call("landlock", CREATE_RULESET, attributes, len(attributes), 0)
    for path, rights in rules:
        _allow(made, path, rights & files)
    return made


def restrict(made: int) -> None:
    """Apply the rules to this process and its children. It must have no_new_privs."""
    _call("landlock", RESTRICT_SELF, made, 0)
    os.close(made)


def _allow(made: int, path: str, rights: int) -> None:
    try:
        where = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(where).st_mode):
            rights &= OF_A_FILE
        rule = struct.pack("=Qi", rights, where)
        _call(f"landlock {path}", ADD_RULE, made, PATH_BENEATH, rule, 0)
    finally:
        os.close(where)


def _call(what: str, number: int, *arguments: object) -> int:
    wide = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *wide)
    if result < 0:
        code = ctypes.get_errno()
        reason = "the kernel has none" if code == errno.ENOSYS else os.strerror(code)
        raise OSError(code, f"{what}: {reason}")
    return result
