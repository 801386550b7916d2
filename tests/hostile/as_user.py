"""Runs Python as another user: `python as_user.py UID ARGUMENT…`, started by root.

The interpreter may live where only root can go; a private mount namespace opens the way to it and
changes nothing outside. UID 0 stays root, on a machine where the interpreter is open to all.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x00020000, 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags))
    if _libc.mount(*arguments, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def open_way(path: str) -> None:
    """Makes `path` reachable: a closed folder on the way shows only what leads to `path`."""
    parts = os.path.realpath(path).split("/")[1:]
    for depth in range(1, len(parts)):
        folder = "/" + "/".join(parts[:depth])
        if os.stat(folder).st_mode & 0o001:
            continue
        inner = f"{folder}/{parts[depth]}"
        held = os.open(inner, os.O_PATH)
        _mount("tmpfs", folder, "tmpfs", 0, "mode=755")
        os.mkdir(inner)
        _mount(f"/proc/self/fd/{held}", inner, "", _MS_BIND | _MS_REC)
        os.close(held)


def main() -> None:
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    open_way(sys.base_prefix)
    user = int(sys.argv[1])
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])


if __name__ == "__main__":
    main()
