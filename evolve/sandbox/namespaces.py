"""Namespaces: an empty, read-only root, and no other processes, networks or queues to be seen.

Entered once, by the process that a zygote is forked from, so that children cost nothing more.  Root needs
no user namespace; everybody else needs one, which some machines deny.
Sources: namespaces(7), user_namespaces(7), pivot_root(2).
"""

import os
from pathlib import Path

from evolve.sandbox import kernel

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x2_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
_ALL = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET
_ANY_FOLDER = "/proc"
"""Where the empty root is mounted before it becomes the root; there is one on every machine that can judge."""


def missing() -> str:
    """Returns why this machine allows no namespaces, or nothing if it does; a process of its own tries."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            enter()
            empty_root()
        except OSError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 1000).decode()
    os.close(read)
    os.waitpid(pid, 0)
    return said


def enter() -> None:
    """Leaves the machine's namespaces; that of processes only for the children to come.

    Raises:
        OSError: the machine denies it; this process may then be in some of the new ones.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        kernel.unshare(_ALL)
        return
    kernel.unshare(_ALL | NEWUSER)
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny", encoding="ascii")
    (own / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    (own / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def empty_root() -> None:
    """Swaps the root for one that is empty and stays so; no file can be opened from here on.

    Raises:
        OSError: the machine denies it.
    """
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)  # what follows is seen nowhere else
    flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("none", _ANY_FOLDER, "tmpfs", flags, "size=4k,nr_inodes=2")
    os.chdir(_ANY_FOLDER)
    kernel.pivot_root_here()
    os.chdir("/")
