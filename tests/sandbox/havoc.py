"""Attacks on the machine by what a child starts, kills and uses up: signals, processes, memory, disks."""

import errno

from evolve.types import Layer
from tests.sandbox.attack import ROOT_ONLY, Attack, attacks, refusable
from tests.sandbox.world import filled, killed, outlived, touched

MANY = 50
"""More than any child needs of anything, and few enough to do without a sandbox."""

SIGNALS = attacks(
    "processes",
    Layer.SECCOMP,
    {
        "kills another process": 'return call("kill", w["victim"], 9)',
        "kills a group of processes": 'return call("kill", -w["victim"], 15)',
        "kills another process by tgkill": 'return call("tgkill", w["victim"], w["victim"], 9)',
        "kills another process by tkill": 'return call("tkill", w["victim"], 9)',
        "kills another process by its descriptor": 'return call("pidfd_send_signal", pidfd(w["victim"]), 9, 0, 0)',
        "kills another process with a queued signal": (
            'about = room(128)\nabout[8] = b"\\xff"\nabout[9] = b"\\xff"\nabout[10] = b"\\xff"\nabout[11] = b"\\xff"\n'
            'return call("rt_sigqueueinfo", w["victim"], 9, about)'
        ),
        "has the kernel signal another process": (
            "ear, mouth = os.pipe()\n"
            'assert call("fcntl", ear, 8, w["victim"]) == 0\n'
            'assert call("fcntl", ear, 10, 15) == 0\n'
            'assert call("fcntl", ear, 4, 0o20000) == 0\n'
            "return os.write(mouth, b'x')"
        ),
    },
    killed,
) + attacks(
    "processes",
    Layer.SECCOMP,
    {
        "may signal the judge": 'return call("kill", w["judge"], 0)',
        "may signal the zygote": 'return call("kill", os.getppid(), 0)',
    },
)

REAPED = "if pid < 0:\n    return pid\nif pid == 0:\n    os._exit(0)\nos.waitpid(pid, 0)\nreturn pid"

FORKS = [
    *attacks(
        "processes",
        Layer.SECCOMP,
        {
            "forks": f"pid = os.fork()\n{REAPED}",
            "forks by system call": f'pid = call("fork")\n{REAPED}',
            "forks by clone": f'pid = call("clone", 17, 0, 0, 0, 0)\n{REAPED}',
            "is a fork bomb": (
                f"pids = []\nfor _ in range({MANY}):\n    pids.append(os.fork())\n    if pids[-1] == 0:\n"
                "        os._exit(0)\nfor pid in pids:\n    os.waitpid(pid, 0)\nreturn len(pids)"
            ),
            "starts a thread": "return sys.modules['_thread'].start_new_thread(time.sleep, (0,)) and 1",
            "starts many threads": (
                f"for _ in range({MANY}):\n    sys.modules['_thread'].start_new_thread(time.sleep, (0.01,))\n"
                f"return {MANY}"
            ),
            "has a shell run a program": "return 1 if os.system(':') == 0 else -1",
        },
    ),
    *refusable(
        attacks(
            "processes",
            Layer.SECCOMP,
            {"forks by clone3": f'pid = call("clone3", (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17), 64)\n{REAPED}'},
        ),
        errno.ENOSYS,
    ),
    *attacks(
        "processes",
        Layer.SECCOMP,
        {
            "leaves a daemon behind": (
                "ear, mouth = os.pipe()\n"
                "if os.fork() == 0:\n"
                "    os.setsid()\n"
                "    if os.fork() == 0:\n"
                '        libc.prctl(15, w["daemon"].encode(), 0, 0, 0)\n'
                "        os.write(mouth, b'x')\n"
                "        for descriptor in range(64):\n"
                "            libc.close(descriptor)\n"
                "        libc.sleep(3)\n"
                "    os._exit(0)\n"
                "return os.read(ear, 1) == b'x'"
            ),
        },
        outlived,
    ),
]

_SHELL = "f\"echo > '{w['folder']}/was-here'\""

PROGRAMS = attacks(
    "processes",
    Layer.SECCOMP,
    {
        "becomes a shell": f'os.execve("/bin/sh", ["sh", "-c", {_SHELL}], {{}})',
        "becomes a shell by execveat": (
            f"words = (ctypes.c_char_p * 4)(b'sh', b'-c', {_SHELL}.encode(), None)\n"
            'return call("execveat", -100, "/bin/sh", words, 0, 0)'
        ),
        "starts a shell with posix_spawn": (
            f'pid = os.posix_spawn("/bin/sh", ["sh", "-c", {_SHELL}], {{}})\nreturn os.waitpid(pid, 0)[1] == 0'
        ),
    },
    touched,
)

_BEYOND = 64 << 20
"""What a child of 32 MiB takes to show that its memory has no end."""

MEMORY = [
    *attacks(
        "limits",
        Layer.LIMITS,
        {
            "takes too much memory": f"return len(bytearray(b'x') * {_BEYOND})",
            "takes too much memory in an array": f"import numpy\nreturn int(numpy.ones({_BEYOND // 8}).sum())",
            "takes too much memory in small pieces": f"return len([bytes(4096) for _ in range({_BEYOND >> 12})])",
            "takes too much memory in a mapping": f"return len(mmap.mmap(-1, {_BEYOND})[:9])",
            "floods its output": "return sum(os.write(1, bytes(1 << 20)) for _ in range(10))",
            "makes its output a huge file with holes": "return os.lseek(1, 1 << 30, 0) and os.write(1, b'x')",
            "takes all descriptors": f'return min(call("dup", 0) for _ in range({MANY}))',
        },
    ),
    *attacks(
        "limits",
        Layer.SECCOMP,
        {
            "fills a file in memory": (
                "file = os.memfd_create('x')\nreturn sum(os.write(file, bytes(1 << 20)) for _ in range(10))"
            ),
            "grows its output without writing": (
                'result = call("ftruncate", 1, 1 << 30)\nreturn result or call("fallocate", 1, 0, 0, 1 << 20)'
            ),
            "raises its limits": 'return call("prlimit64", 0, 0, (ctypes.c_uint64 * 2)(1 << 40, 1 << 40), 0)',
            "looks at the limits of another process": (
                'return call("prlimit64", w["decoy"], 9, 0, (ctypes.c_uint64 * 2)())'
            ),
            "limits another process": (
                "now = (ctypes.c_uint64 * 2)()\n"
                'if (seen := call("prlimit64", w["decoy"], 4, 0, now)) < 0:\n    return seen\n'
                'return call("prlimit64", w["decoy"], 4, now, 0)'
            ),
            "lowers the priority of another process": 'return call("setpriority", 0, w["decoy"], 1)',
            "lowers its priority": "return os.nice(1)",
            "chooses its cores": 'return call("sched_setaffinity", 0, 8, ctypes.byref(ctypes.c_uint64(-1)))',
            "chooses the cores of another process": (
                'return call("sched_setaffinity", w["decoy"], 8, ctypes.byref(ctypes.c_uint64(-1)))'
            ),
            "comes first at the disk": 'return call("ioprio_set", 1, 0, 2 << 13 | 4)',
            "sets a timer": "signal.setitimer(signal.ITIMER_REAL, 99)\nreturn 1",
        },
    ),
    *refusable(
        attacks("limits", Layer.SECCOMP, {"raises its priority": 'return call("setpriority", 0, 0, -5)'}),
        *ROOT_ONLY,
    ),
]

FILLERS = [
    *attacks(
        "limits",
        Layer.SECCOMP,
        {
            "fills the disk": (
                'with open(w["folder"] + "/big", "wb") as file:\n'
                "    for _ in range(10):\n        file.write(bytes(1 << 20))\nreturn 1"
            ),
            "fills the disk with small files": (
                'for i in range(200):\n    with open(f"{w[\'folder\']}/{i}", "wb") as file:\n'
                "        file.write(bytes(60_000))\nreturn 1"
            ),
        },
        filled,
    ),
    *refusable(
        attacks(
            "limits",
            Layer.SECCOMP,
            {"fills the shared memory": 'return open("/dev/shm/" + w["name"], "wb").write(bytes(1 << 20))'},
        ),
        errno.ENOENT,
        errno.EACCES,
    ),
]

ATTACKS: list[Attack] = [*SIGNALS, *FORKS, *PROGRAMS, *MEMORY, *FILLERS]
