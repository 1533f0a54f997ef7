"""System calls that Linux refuses to an answer: a filter, installed through ctypes.

It is a list of what is refused, since XLA, Python and their threads need most of the others. Each
refused call fails with EPERM, so a program sees an error and goes on. The programs of a filter are
described in `man 2 seccomp` and in the kernel's `Documentation/userspace-api/seccomp_filter.rst`;
the numbers are those of `arch/x86/entry/syscalls/syscall_64.tbl` and of
`include/uapi/asm-generic/unistd.h`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_TO_ALL_THREADS = 1

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_GREATER_EQUAL = 0x35
_JUMP_SET = 0x45
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_LACKING = 0x00050000 | errno.ENOSYS

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in `struct seccomp_data`

_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

Instruction = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A processor as system calls see it: `AUDIT_ARCH_…` and numbers of calls by name."""

    audit: int
    numbers: Mapping[str, int]
    others_from: int | None = None
    """The first number of another table, x32's on x86_64."""


_X86_64 = """
sendto 44 sendmsg 46 shutdown 48 bind 49 listen 50 socket 41 connect 42 accept 43 socketpair 53
setsockopt 54 clone 56 fork 57 vfork 58 execve 59 kill 62 semget 64 msgget 68 truncate 76
rename 82 mkdir 83 rmdir 84 creat 85 link 86 unlink 87 symlink 88 chmod 90 fchmod 91 chown 92
fchown 93 lchown 94 ptrace 101 setuid 105 setgid 106 setpgid 109 setsid 112 setreuid 113
setregid 114 setgroups 116 setresuid 117 setresgid 119 rt_sigqueueinfo 129 utime 132 mknod 133
personality 135 setpriority 141 pivot_root 155 prlimit64 302 setrlimit 160 chroot 161 acct 163
settimeofday 164 mount 165 umount2 166 swapon 167 swapoff 168 reboot 169 sethostname 170
init_module 175 delete_module 176 quotactl 179 setxattr 188 lsetxattr 189 fsetxattr 190
removexattr 197 tkill 200 tgkill 234 utimes 235 mq_open 240 add_key 248 keyctl 250
inotify_init 253 openat 257 mkdirat 258 mknodat 259 fchownat 260 futimesat 261 unlinkat 263
renameat 264 linkat 265 symlinkat 266 fchmodat 268 unshare 272 utimensat 280 accept4 288
rt_tgsigqueueinfo 297 perf_event_open 298 fanotify_init 300 open_by_handle_at 304 sendmmsg 307
setns 308 process_vm_readv 310 process_vm_writev 311 finit_module 313 renameat2 316
kexec_load 246 bpf 321 execveat 322 userfaultfd 323 pidfd_send_signal 424 io_uring_setup 425
open_tree 428 move_mount 429 fsopen 430 pidfd_open 434 clone3 435 openat2 437 pidfd_getfd 438
process_madvise 440 fchmodat2 452 shmget 29 open 2 ftruncate 77 fallocate 285 io_setup 206
ioperm 173 iopl 172
"""

_AARCH64 = """
io_setup 0 setxattr 5 lsetxattr 6 fsetxattr 7 removexattr 14 inotify_init1 26 mknodat 33
mkdirat 34 unlinkat 35 symlinkat 36 linkat 37 renameat 38 umount2 39 mount 40 pivot_root 41
truncate 45 ftruncate 46 fallocate 47 chroot 51 fchmod 52 fchmodat 53 fchownat 54 fchown 55
openat 56 quotactl 60 utimensat 88 acct 89 personality 92 unshare 97 kexec_load 104
init_module 105 delete_module 106 ptrace 117 kill 129 tkill 130 tgkill 131 rt_sigqueueinfo 138
setpriority 140 reboot 142 setregid 143 setgid 144 setreuid 145 setuid 146 setresuid 147
setresgid 149 setpgid 154 setsid 157 setgroups 159 sethostname 161 setrlimit 164
settimeofday 170 mq_open 180 msgget 186 semget 190 shmget 194 socket 198 socketpair 199 bind 200
listen 201 accept 202 connect 203 sendto 206 setsockopt 208 shutdown 210 sendmsg 211 add_key 217
keyctl 219 clone 220 execve 221 swapon 224 swapoff 225 rt_tgsigqueueinfo 240
perf_event_open 241 accept4 242 prlimit64 261 fanotify_init 262 open_by_handle_at 265 setns 268
sendmmsg 269 process_vm_readv 270 process_vm_writev 271 finit_module 273 renameat2 276 bpf 280
execveat 281 userfaultfd 282 pidfd_send_signal 424 io_uring_setup 425 open_tree 428
move_mount 429 fsopen 430 pidfd_open 434 clone3 435 openat2 437 pidfd_getfd 438
process_madvise 440 fchmodat2 452
"""


def _numbers(table: str) -> dict[str, int]:
    words = table.split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(0xC000003E, _numbers(_X86_64), others_from=0x40000000),
    "aarch64": Architecture(0xC00000B7, _numbers(_AARCH64)),
}
"""What `platform.machine()` may be."""


def install() -> None:
    """Puts every thread of this process, and those to come, under the filter.

    Raises OSError where the kernel refuses, or where the processor is none of `ARCHITECTURES`.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
    architecture = ARCHITECTURES[machine]
    program = instructions(architecture, os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    filters = (_Filter * len(program))(*(_Filter(*each) for each in program))
    header = _Program(len(program), filters)
    call = {"x86_64": 317, "aarch64": 277}[machine]
    if libc.syscall(call, _SET_MODE_FILTER, _TO_ALL_THREADS, ctypes.byref(header)):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


class _Filter(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("true", ctypes.c_uint8),
        ("false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_uint16),
        ("filters", ctypes.POINTER(_Filter)),
    ]


def instructions(architecture: Architecture, process: int) -> list[Instruction]:
    """Gives the filter for a process by its id: load, compare, return."""
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture.others_from is not None:
        program += [
            (_JUMP_GREATER_EQUAL, 0, 1, architecture.others_from),
            (_RETURN, 0, 0, _REFUSE),
        ]
    for name, number in architecture.numbers.items():
        body = _body(name, process)
        program += [(_JUMP_EQUAL, 0, len(body), number), *body]
    return [*program, (_RETURN, 0, 0, _ALLOW)]


def _body(name: str, process: int) -> list[Instruction]:
    match name:
        case "open":
            return _unless_set(1, _WRITING)
        case "openat":
            return _unless_set(2, _WRITING)
        case "clone":  # a thread is of this process
            return [_argument(0), (_JUMP_SET, 1, 0, _CLONE_THREAD), *_refused_or_allowed()]
        case "clone3" | "openat2":  # their flags lie in memory; libraries fall back on the older
            return [(_RETURN, 0, 0, _LACKING)]
        case "tgkill" | "kill":  # `abort` signals itself
            return [_argument(0), (_JUMP_EQUAL, 1, 0, process), *_refused_or_allowed()]
        case "prlimit64":  # reading its own is allowed: the new limits are no pointer
            return [_argument(2), (_JUMP_EQUAL, 1, 0, 0), *_refused_or_allowed()]
        case _:
            return [(_RETURN, 0, 0, _REFUSE)]


def _argument(place: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)  # the low half: both processors are little-endian


def _refused_or_allowed() -> list[Instruction]:
    return [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]


def _unless_set(place: int, flags: int) -> list[Instruction]:
    refused, allowed = _refused_or_allowed()
    return [_argument(place), (_JUMP_SET, 0, 1, flags), refused, allowed]
