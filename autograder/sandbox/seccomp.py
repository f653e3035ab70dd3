"""A seccomp filter: the system calls that student code may make, as a BPF program made here.

An allowlist. What it leaves out fails with EPERM, which Python raises as PermissionError; what is
newer than this file fails with ENOSYS, so that libc falls back. Left out with a reason that is not
obvious: chmod, utime, truncate and xattr by path (Landlock does not restrict them, and the owner of
the files is the same), inotify (it tells which files are touched), sendmsg and recvmsg (they carry
addresses and descriptors where a filter can't look).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

from autograder.sandbox.kernel import LIBC

#: name : number on x86_64 : number on aarch64
ALLOWED = """
    read:0:63 write:1:64 close:3:57 stat:4:- fstat:5:80 lstat:6:- poll:7:- lseek:8:62 mmap:9:222
    mprotect:10:226 munmap:11:215 brk:12:214 rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139
    pread64:17:67 pwrite64:18:68 readv:19:65 writev:20:66 access:21:- pipe:22:- select:23:-
    sched_yield:24:124 mremap:25:216 msync:26:227 madvise:28:233 dup:32:23 dup2:33:- pause:34:-
    nanosleep:35:101 getitimer:36:102 alarm:37:- setitimer:38:103 getpid:39:172 sendfile:40:71
    recvfrom:45:207 shutdown:48:210 getsockname:51:204 getpeername:52:205 getsockopt:55:209
    exit:60:93 wait4:61:260 uname:63:160 flock:73:32 fsync:74:82 fdatasync:75:83 ftruncate:77:46
    getdents:78:- getcwd:79:17 chdir:80:49 fchdir:81:50 rename:82:- mkdir:83:- rmdir:84:- creat:85:-
    link:86:- unlink:87:- symlink:88:- readlink:89:- umask:95:166 gettimeofday:96:169 getrlimit:97:163
    getrusage:98:165 sysinfo:99:179 times:100:153 getuid:102:174 getgid:104:176 geteuid:107:175
    getegid:108:177 getppid:110:173 getpgrp:111:- getgroups:115:158 getresuid:118:148 getresgid:120:150
    getpgid:121:155 getsid:124:156 capget:125:90 rt_sigpending:127:136 rt_sigtimedwait:128:137
    rt_sigsuspend:130:133 sigaltstack:131:132 statfs:137:43 fstatfs:138:44 sched_getparam:143:121
    sched_getscheduler:145:120 sched_get_priority_max:146:125 sched_get_priority_min:147:126
    arch_prctl:158:- setrlimit:160:164 gettid:186:178 readahead:187:213 time:201:- futex:202:98
    sched_getaffinity:204:123 epoll_create:213:- getdents64:217:61 set_tid_address:218:96
    restart_syscall:219:128 fadvise64:221:223 timer_create:222:107 timer_settime:223:110
    timer_gettime:224:108 timer_getoverrun:225:109 timer_delete:226:111 clock_gettime:228:113
    clock_getres:229:114 clock_nanosleep:230:115 exit_group:231:94 epoll_wait:232:- epoll_ctl:233:21
    waitid:247:95 mkdirat:258:34 newfstatat:262:79 unlinkat:263:35 renameat:264:38
    linkat:265:37 symlinkat:266:36 readlinkat:267:78 faccessat:269:48 pselect6:270:72 ppoll:271:73
    set_robust_list:273:99 get_robust_list:274:100 sync_file_range:277:84 epoll_pwait:281:22
    signalfd:282:- timerfd_create:283:85 eventfd:284:- fallocate:285:47 timerfd_settime:286:86
    timerfd_gettime:287:87 signalfd4:289:74 eventfd2:290:19 epoll_create1:291:20 dup3:292:24 pipe2:293:59
    preadv:295:69 pwritev:296:70 getcpu:309:168 renameat2:316:276 getrandom:318:278 membarrier:324:283
    copy_file_range:326:285 preadv2:327:286 pwritev2:328:287 statx:332:291 rseq:334:293
    close_range:436:436 faccessat2:439:439 epoll_pwait2:441:441 futex_waitv:449:449
"""

SPECIAL = """
    clone:56:220 clone3:435:435 openat2:437:437 open:2:- openat:257:56 kill:62:129 tkill:200:130
    tgkill:234:131 rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240 prlimit64:302:261
    socketpair:53:199 sendto:44:206 prctl:157:167 ioctl:16:29 fcntl:72:25
"""

#: The last call that the table above was made from; a newer one is unknown, not forbidden.
LAST_KNOWN = 462

#: Stands for the process's own id in a filter that is made ahead: above any id that a kernel gives.
_OWN_PID = 0x7E57F11E

PR_SET_SECCOMP = 22
MODE_FILTER = 2

_LOAD, _EQUAL, _GREATER, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000

_CLONE_THREAD = 0x00010000
_CLONE_NEW_ANY = 0x7E020000
_O_TRUNC, _O_ACCMODE = 0x200, 3
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF
#: F_DUPFD, F_{GET,SET}FD, F_{GET,SET}FL, locks, F_OFD_*, F_DUPFD_CLOEXEC, F_GETPIPE_SZ. F_SETOWN and
#: F_SETSIG are not here: with them the kernel sends any signal to any process of the same user.
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
#: TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX.
_IOCTL = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
#: PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS.
_PRCTL = (3, 15, 16, 21, 23, 39)

Instruction = tuple[int, int, int, int]


@dataclass(frozen=True)
class Machine:
    """A processor family: its name in `uname`, in a filter, and its column of the table."""

    name: str
    audit: int
    column: int


MACHINES = (Machine("x86_64", 0xC000003E, 0), Machine("aarch64", 0xC00000B7, 1))


def machine() -> Machine | None:
    """This machine, or None where no table was made for it."""
    return next((known for known in MACHINES if known.name == platform.machine()), None)


def _numbers(table: str, column: int) -> dict[str, int]:
    rows = [entry.split(":") for entry in table.split()]
    return {row[0]: int(row[1 + column]) for row in rows if row[1 + column] != "-"}


def _refuse(error: int) -> Instruction:
    return (_RETURN, 0, 0, 0x00050000 | error)


_ALLOWED: Instruction = (_RETURN, 0, 0, _ALLOW)
_DENIED = _refuse(errno.EPERM)


def _load_argument(position: int) -> Instruction:
    return (_LOAD, 0, 0, 16 + 8 * position)


def _one_of(position: int, values: tuple[int, ...], otherwise: Instruction = _DENIED) -> list[Instruction]:
    """Allow the call when its argument (32 bits) is one of `values`."""
    tests: list[Instruction] = []
    for value in values:
        tests += [(_EQUAL, 0, 1, value), _ALLOWED]
    return [_load_argument(position), *tests, otherwise]


def _no_truncation_for_readers(position: int) -> list[Instruction]:
    """Refuse O_RDONLY|O_TRUNC: Landlock before ABI 3 takes it for reading."""
    mask = (_AND, 0, 0, _O_TRUNC | _O_ACCMODE)
    return [_load_argument(position), mask, (_EQUAL, 0, 1, _O_TRUNC), _DENIED, _ALLOWED]


def _special(own_pid: int) -> dict[str, list[Instruction]]:
    """The calls whose arguments decide."""
    to_itself = _one_of(0, (own_pid,))
    stream_pair = [
        _load_argument(0),
        (_EQUAL, 1, 0, _AF_UNIX),
        _DENIED,
        _load_argument(1),
        (_AND, 0, 0, _SOCK_TYPE_MASK),
        (_EQUAL, 0, 1, _SOCK_STREAM),
        _ALLOWED,
        _DENIED,
    ]
    threads_only = [
        _load_argument(0),
        (_ANY_BIT, 0, 1, _CLONE_NEW_ANY),
        _DENIED,
        (_ANY_BIT, 0, 1, _CLONE_THREAD),
        _ALLOWED,
        _DENIED,
    ]
    no_address = [
        (_LOAD, 0, 0, 16 + 8 * 4 + 4),
        (_EQUAL, 1, 0, 0),
        _DENIED,
        _load_argument(4),
        (_EQUAL, 0, 1, 0),
        _ALLOWED,
        _DENIED,
    ]
    return {
        "clone": threads_only,
        "clone3": [_refuse(errno.ENOSYS)],  # its flags are out of a filter's reach: libc falls back to clone
        "openat2": [_refuse(errno.ENOSYS)],
        "open": _no_truncation_for_readers(1),
        "openat": _no_truncation_for_readers(2),
        "kill": to_itself,
        "tkill": to_itself,
        "tgkill": to_itself,
        "rt_sigqueueinfo": to_itself,
        "rt_tgsigqueueinfo": to_itself,
        "prlimit64": _one_of(0, (0, own_pid)),
        "socketpair": stream_pair,
        "sendto": no_address,
        "prctl": _one_of(0, _PRCTL),
        "ioctl": _one_of(1, _IOCTL, _refuse(errno.ENOTTY)),
        "fcntl": _one_of(1, _FCNTL),
    }


def program(own_pid: int, on: Machine) -> list[Instruction]:
    """The filter for a process that calls itself `own_pid`."""
    code: list[Instruction] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, on.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_GREATER, 0, 1, LAST_KNOWN),  # x32 calls too: their numbers have bit 30 set
        _refuse(errno.ENOSYS),
    ]
    for number in _numbers(ALLOWED, on.column).values():
        code += [(_EQUAL, 0, 1, number), _ALLOWED]
    numbers = _numbers(SPECIAL, on.column)
    for name, body in _special(own_pid).items():
        if name in numbers:
            code += [(_EQUAL, 0, len(body), numbers[name]), *body]
    return [*code, _DENIED]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def packed() -> bytes:
    """The filter as the kernel reads it, with a placeholder for the process's own id.

    Raises OSError where no table fits the machine.
    """
    on = machine()
    if on is None:
        raise OSError(errno.ENOSYS, f"no table of system calls for {platform.machine()}")
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program(_OWN_PID, on))


def install(template: bytes) -> None:
    """Put this process, and every thread that it starts, under the filter `packed` gave; there is no
    way back. Needs no_new_privs. Raises OSError when the kernel has no seccomp filters."""
    code = template.replace(struct.pack("<I", _OWN_PID), struct.pack("<I", os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))
    wanted = _Program(len(code) // 8, ctypes.addressof(buffer))
    if LIBC.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(wanted), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused the seccomp filter")
