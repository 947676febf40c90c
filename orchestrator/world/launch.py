"""Making the world: user, mount, pid, network, uts and ipc namespaces, and process 1 in them.

Three processes, one after the other:
1. the launcher (this command) stays outside, writes the id maps, notes who the world is, reports
   and ends;
2. the middle one enters the new namespaces, forks and ends;
3. the world is process 1 of the new pid namespace. It waits for the launcher's word before it does
   anything, so whatever it makes is accounted for; if the launcher dies before that, the world ends
   too.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from typing import NoReturn

from orchestrator.world import syscalls
from orchestrator.world.maps import apply_maps, choose_maps
from orchestrator.world.messages import receive, send

__all__ = ["Unfit", "launch"]

PRIVATE = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
)


class Unfit(Exception):
    """The machine refuses; the text names the reason and the fix."""


def launch(
    world_file: str, network_id: str, lock: int | None, world: Callable[[socket.socket], None]
) -> int:
    """Make the world and wait until it answers; returns its pid, raises Unfit.

    Args:
        world_file: where to note the world's pid and namespaces.
        network_id: goes into the note.
        lock: descriptor of the network's lock, which the launcher holds and the world must not.
        world: what process 1 runs; it sends `{"ok": …}` or `{"error": text}` when it is set up.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    middle = os.fork()
    if middle == 0:
        ours.close()
        if lock is not None:
            os.close(lock)
        _middle(theirs, world)
    theirs.close()
    with ours:
        _expect(ours)
        try:
            apply_maps(choose_maps(), middle)
        except OSError as error:
            raise Unfit(_map_refusal(error)) from error
        send(ours, {"ok": "mapped"})
        pid = int(_expect(ours))
        os.waitpid(middle, 0)
        _note(world_file, network_id, pid)
        send(ours, {"ok": "go"})
        _expect(ours)
    return pid


def _middle(channel: socket.socket, world: Callable[[socket.socket], None]) -> NoReturn:
    """Never returns: ends as the middle process, or as the world."""
    try:
        os.setsid()
        try:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
        except OSError as error:
            send(channel, {"error": _user_refusal(error)})
            os._exit(1)
        send(channel, {"ok": "unshared"})
        if receive(channel)[0] is None:
            os._exit(1)
        try:
            syscalls.unshare(PRIVATE)
        except OSError as error:
            send(channel, {"error": _private_refusal(error)})
            os._exit(1)
        pid = os.fork()
        if pid:
            send(channel, {"ok": pid})
            os._exit(0)
        if receive(channel)[0] is not None:
            world(channel)
    finally:
        os._exit(1)


def _expect(channel: socket.socket) -> str:
    message, _ = receive(channel)
    if message is None:
        raise Unfit("the world ended while it was set up; its log says why")
    if "error" in message:
        raise Unfit(message["error"])
    return str(message["ok"])


def _note(world_file: str, network_id: str, pid: int) -> None:
    namespace = os.stat(f"/proc/{pid}/ns/pid").st_ino
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        started = int(file.read().rpartition(")")[2].split()[19])  # field 22: proc_pid_stat(5)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    note = {
        "pid": pid,
        "started_ticks": started,
        "pid_namespace": namespace,
        "boot": boot,
        "network_id": network_id,
    }
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(world_file, flags, 0o600), "w", encoding="ascii") as file:
        json.dump(note, file)


def _user_refusal(error: OSError) -> str:
    start = f"the kernel refuses user namespaces ({error.strerror})"
    if error.errno == errno.ENOSPC:
        return f"{start}: allow some: `sysctl -w user.max_user_namespaces=10000`"
    if error.errno in (errno.EINVAL, errno.ENOSYS):
        return f"{start}: it was built without CONFIG_USER_NS; use another kernel"
    if _in_chroot():
        return (
            f"{start}: this is a chroot, where they are never allowed: enter this root file "
            "system with pivot_root in a mount namespace instead, or run outside of it"
        )
    if _setting("kernel/unprivileged_userns_clone") == "0":
        return f"{start}: allow them: `sysctl -w kernel.unprivileged_userns_clone=1`"
    return (
        f"{start}: a container's seccomp profile or a chroot forbids them: run on the machine "
        "itself, or let the container unshare (CAP_SYS_ADMIN)"
    )


def _private_refusal(error: OSError) -> str:
    start = f"the kernel refuses namespaces to this user ({error.strerror})"
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return f"{start}: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or use root"
    return f"{start}: check the limits in /proc/sys/user, or use root"


def _map_refusal(error: OSError) -> str:
    return (
        f"ids cannot be mapped ({error.strerror}): check /etc/subuid and /etc/subgid, "
        "or remove this user's lines from both to run with one id"
    )


def _in_chroot() -> bool:
    """As well as can be seen from inside: no mount at /, or an ancestor has another one there."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        if not any(line.split()[4] == "/" for line in file):
            return True
    ancestor = os.getppid()
    while ancestor > 0:
        try:
            spaces = [os.stat(f"/proc/{process}/ns/mnt").st_ino for process in ("self", ancestor)]
            if spaces[0] == spaces[1] and _mount_id(f"/proc/{ancestor}/root") != _mount_id("/"):
                return True
            with open(f"/proc/{ancestor}/stat", encoding="utf-8", errors="replace") as file:
                ancestor = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            return False  # it may not be looked at
    return False


def _mount_id(path: str) -> str:
    """The mount a path is on: a bind mount of the same root has another."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
            return next(line for line in file if line.startswith("mnt_id"))
    finally:
        os.close(descriptor)


def _setting(name: str) -> str | None:
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
