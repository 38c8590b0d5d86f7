"""A launcher that ties the program it becomes to the life of the process that started it.

Run as a script, on the standard library alone: it asks the kernel for a signal at the parent's
death, gives up root where an account is named, and replaces itself by the program. The process id
stays, so the parent supervises the program itself. Doing this between fork and exec inside the
parent would be unsafe once the parent has threads; a fresh interpreter has none.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
# Each lets a process pass folders that only root may enter, such as a home folder of mode 0700.
# The first grants less; some containers hold only the second.
CAP_DAC_READ_SEARCH = 2
CAP_DAC_OVERRIDE = 1
ORPHANED = 75

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _permitted() -> int:
    """Return the capabilities that we hold, as a bit mask."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, sets))
    return sets[1] | sets[4] << 32


def _keep_only(capability: int) -> None:
    """Hold one capability across the exec that follows, and give up every other."""
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _check(_libc.capset(header, sets))
    _check(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def give_up_root(uid: int, gid: int, *, reach: bool) -> None:
    """Become another account; `reach` keeps the one capability that opens root's own folders."""
    held = _permitted() if reach else 0
    usable = [c for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if held & 1 << c]
    if usable:
        # Without this bit access(2), with which PostgreSQL looks for itself, ignores capabilities.
        _check(_libc.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if usable:
        _keep_only(usable[0])


def main(arguments: list[str]) -> None:
    """Take `PARENT SIGNAL UID GID REACH PROGRAM [ARGUMENT ...]`; a UID of -1 changes nothing."""
    parent, signal, uid, gid, reach = (int(text) for text in arguments[:5])
    if uid >= 0:
        give_up_root(uid, gid, reach=bool(reach))
    # After the change of account, which clears it.
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0))
    if os.getppid() != parent:
        sys.exit(ORPHANED)
    os.execv(arguments[5], arguments[5:])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
