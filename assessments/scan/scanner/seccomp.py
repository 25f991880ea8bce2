"""System calls that an engine has no business making, refused by the kernel (seccomp, written by
hand: this runs in the scanner's interpreter, which has only the standard library).

A filter can't be removed, and child processes inherit it. Numbers are those of
``asm/unistd_64.h`` (x86-64) and ``asm-generic/unistd.h`` (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*, linux/audit.h
LAST_KNOWN = 462
"""mseal. Later calls return "not implemented" until someone has reviewed them."""

# linux/bpf_common.h, linux/seccomp.h
LOAD, ALU_AND, JUMP_EQUAL, JUMP_GREATER, JUMP_SET, RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
AT_NUMBER, AT_ARCHITECTURE, AT_ARGUMENTS = 0, 4, 16
NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET

# name: (x86-64, aarch64), None where the architecture has no such call
NAMESPACE_CALLS = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "chroot": (161, 51),
}
OTHER_PROCESSES = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    # Leaving the process group would escape the signals that end the scan.
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # System V and POSIX IPC are shared by all processes of a user.
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semctl": (66, 191),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "shmget": (29, 194),
    "shmctl": (31, 195),
    "shmat": (30, 196),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
NETWORK = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
FILES_BY_THE_BACK_DOOR = {
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "truncate": (76, 45),  # Landlock covers it from version 3 on
    "mknod": (133, None),
    "mknodat": (259, 33),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
}
KERNEL = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "uselib": (134, None),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "acct": (163, 89),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
}
NOT_SUPPORTED = {
    "getxattr": (191, 8),
    "lgetxattr": (192, 9),
    "listxattr": (194, 11),
    "llistxattr": (195, 12),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
}
PRETENDED = {
    # By path they would reach files outside the job, which Landlock does not guard. Copying a
    # file calls them, so they return success and do nothing.
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
}
CLONE, CLONE3 = (56, 220), (435, 435)
KILL_CALL, TGKILL, PRLIMIT64 = (62, 129), (234, 131), (302, 261)
SOCKETPAIR = (53, 199)
AF_UNIX, SOCK_STREAM, SOCK_TYPE_MASK = 1, 1, 0xF

Call = tuple[int | None, int | None]
Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


def guard() -> None:
    """Install the engines' filter on this process. It must have no_new_privs, and one thread.

    Raises OSError if the kernel has no seccomp filters or the architecture is not supported.
    """
    own = os.getpid()
    install(
        [
            *_answer(errno.EPERM, NAMESPACE_CALLS.values()),
            *_answer(errno.EPERM, OTHER_PROCESSES.values()),
            *_answer(errno.EACCES, NETWORK.values()),
            *_answer(errno.EPERM, FILES_BY_THE_BACK_DOOR.values()),
            *_answer(errno.EPERM, KERNEL.values()),
            *_answer(errno.EOPNOTSUPP, NOT_SUPPORTED.values()),
            *_answer(0, PRETENDED.values()),
            *threads_and_processes_without_namespaces(),
            # A process may signal itself (abort, a runtime's preemption) and limit itself.
            *_only_if(KILL_CALL, argument=0, values=(own,)),
            *_only_if(TGKILL, argument=0, values=(own,)),
            *_only_if(PRLIMIT64, argument=0, values=(0, own)),
            *_only_connected_pairs(),
        ]
    )


def threads_and_processes_without_namespaces() -> list[Instruction]:
    """``clone`` with a namespace flag is refused. ``clone3`` hides its flags in memory, so it
    returns "not implemented", whereupon C libraries fall back to ``clone``."""
    number = _here(CLONE)
    return [
        (JUMP_EQUAL, 0, 4, number or 0),
        (LOAD, 0, 0, AT_ARGUMENTS),
        (JUMP_SET, 0, 1, NAMESPACES),
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
        *_answer(errno.ENOSYS, [CLONE3]),
    ]


def refuse_namespaces() -> None:
    """A filter like Docker's default one: no mount, no new namespace. For tests."""
    install(
        [
            *_answer(errno.EPERM, NAMESPACE_CALLS.values()),
            *threads_and_processes_without_namespaces(),
        ]
    )


def install(rules: list[Instruction]) -> None:
    """Load a filter of ``rules``; what none of them matches is allowed. Raises OSError."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"seccomp: no filter for {machine}")
    program = [
        (LOAD, 0, 0, AT_ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, AT_NUMBER),
        (JUMP_GREATER, 0, 1, LAST_KNOWN),  # x32 calls too: their numbers have a high bit
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
        *rules,
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _answer(number: int, calls: Iterable[Call]) -> list[Instruction]:
    """Error ``number`` for each of ``calls``, without executing it; 0 reports success."""
    return [
        line
        for call in calls
        if (known := _here(call)) is not None
        for line in ((JUMP_EQUAL, 0, 1, known), (RETURN, 0, 0, REFUSE | number))
    ]


def _only_if(call: Call, *, argument: int, values: tuple[int, ...]) -> list[Instruction]:
    """``call`` only if the lower half of ``argument`` is one of ``values``."""
    tests = [(JUMP_EQUAL, len(values) - n, 0, value) for n, value in enumerate(values)]
    block: list[Instruction] = [
        (LOAD, 0, 0, AT_ARGUMENTS + 8 * argument),
        *tests,
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return [(JUMP_EQUAL, 0, len(block), _here(call) or 0), *block]


def _only_connected_pairs() -> list[Instruction]:
    """``socketpair`` for local streams: a datagram pair could be redirected to any address."""
    refuse, allow = (RETURN, 0, 0, REFUSE | errno.EACCES), (RETURN, 0, 0, ALLOW)
    return [
        (JUMP_EQUAL, 0, 7, _here(SOCKETPAIR) or 0),
        (LOAD, 0, 0, AT_ARGUMENTS),
        (JUMP_EQUAL, 0, 3, AF_UNIX),
        (LOAD, 0, 0, AT_ARGUMENTS + 8),
        (ALU_AND, 0, 0, SOCK_TYPE_MASK),
        (JUMP_EQUAL, 1, 0, SOCK_STREAM),
        refuse,
        allow,
    ]


def _here(call: Call) -> int | None:
    return call[0] if os.uname().machine == "x86_64" else call[1]
