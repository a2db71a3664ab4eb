"""Attacks on what lies outside of a child: files, secrets, other processes' memory, networks."""

import errno

from evolve.types import Layer
from tests.sandbox.attack import OPTIONAL, ROOT_ONLY, Attack, attacks, refusable
from tests.sandbox.world import heard, told, touched

READS = attacks(
    "files",
    Layer.SECCOMP,
    {
        "reads a file": 'return open(w["public"]).read()',
        "reads a file by system call": 'return slurp(call("open", w["public"], 0))',
        "reads a file by openat": 'return slurp(call("openat", -100, w["public"], 0, 0))',
        "reads a file by openat2": 'return slurp(call("openat2", -100, w["public"], (ctypes.c_uint64 * 3)(), 24))',
        "reads a file through /proc/self/root": (
            'return slurp(call("openat", -100, "/proc/self/root" + w["public"], 0, 0))'
        ),
        "reads a file through its own folder": (
            'os.chdir(w["home"])\nreturn slurp(call("openat", -100, "/proc/self/cwd/public", 0, 0))'
        ),
        "reads a file through the root of the judge": (
            "return slurp(call(\"openat\", -100, f\"/proc/{w['judge']}/root{w['public']}\", 0, 0))"
        ),
        "reads a file through a symbolic link": (
            'os.symlink(w["public"], w["folder"] + "/link")\nreturn open(w["folder"] + "/link").read()'
        ),
        "reads a file through a hard link": (
            'os.link(w["public"], w["folder"] + "/link")\nreturn open(w["folder"] + "/link").read()'
        ),
        "reads a file with a stream of C": (
            "libc.fopen.restype = ctypes.c_void_p\n"
            'stream = libc.fopen(w["public"].encode(), b"r")\n'
            "if not stream:\n    raise OSError(ctypes.get_errno(), 'fopen')\n"
            "text = room()\n"
            "assert libc.fgets(text, 200, ctypes.c_void_p(stream))\n"
            "return text.value.decode()"
        ),
        "reads a file that is the judge's alone": 'return open(w["private"]).read()',
    },
    told,
)

HANDLE = refusable(
    attacks(
        "files",
        Layer.SECCOMP,
        {
            "opens a file without its name, by its handle": (
                'handle = bytes.fromhex(w["handle"])\n'
                "assert handle\n"
                'return slurp(call("open_by_handle_at", -100, ctypes.create_string_buffer(handle), 0))'
            ),
        },
        told,
    ),
    *ROOT_ONLY,
    errno.EOPNOTSUPP,
    errno.ESTALE,
)

LOOKS = [
    *attacks(
        "files",
        Layer.SECCOMP,
        {
            "looks a file up": 'return os.stat(w["public"]).st_size',
            "looks a file up by statx": 'return call("statx", -100, w["public"], 0, 4095, room(512))',
            "asks whether a file is there": 'return call("faccessat", -100, w["public"], 0)',
            "asks whether a file is there, the old way": 'return call("access", w["public"], 0)',
            "lists a folder": 'return len(os.listdir(w["home"]))',
            "asks how full a disk is": 'return call("statfs", w["home"], room(512))',
            "changes its folder": 'return os.chdir(w["folder"]) or 0',
            "watches a folder": (
                'watch = call("inotify_init1", 0)\nreturn libc.inotify_add_watch(watch, w["home"].encode(), 2)'
            ),
            "lists the processes": 'return len([name for name in os.listdir("/proc") if name.isdigit()])',
        },
    ),
    *refusable(  # what a process that is not dumpable may see of itself
        attacks(
            "files",
            Layer.SECCOMP,
            {
                "asks where its program lies": 'return len(os.readlink("/proc/self/exe"))',
                "reads where its memory lies": 'return open("/proc/self/maps").read(99)',
            },
        ),
        errno.EACCES,
    ),
]

WRITES = [
    *attacks(
        "files",
        Layer.SECCOMP,
        {
            "writes a file": 'open(w["folder"] + "/result.json", "w").write("1e9")',
            "writes a file by creat": 'return call("creat", w["folder"] + "/result", 0o644)',
            "plants a start-up file": 'open(w["folder"] + "/planted.pth", "w").write("import os")',
            "plants compiled code": (
                'os.mkdir(w["folder"] + "/__pycache__")\n'
                'open(w["folder"] + "/__pycache__/json.cpython-311.pyc", "wb").write(bytes(16))'
            ),
            "rewrites a file": 'open(w["folder"] + "/journal", "w").write("forged")',
            "puts a link in a file's place": (
                'os.symlink(w["private"], w["folder"] + "/link")\n'
                'os.replace(w["folder"] + "/link", w["folder"] + "/journal")'
            ),
            "renames a file": 'os.rename(w["folder"] + "/journal", w["folder"] + "/gone")',
            "removes a file": 'os.unlink(w["folder"] + "/journal")',
            "cuts a file short": 'os.truncate(w["folder"] + "/journal", 0)',
            "makes a pipe with a name": 'os.mkfifo(w["folder"] + "/pipe")',
        },
        touched,
    ),
    *attacks("files", Layer.SECCOMP, {"makes a private file public": 'return os.chmod(w["private"], 0o644) or 1'}),
    *refusable(
        attacks(
            "files",
            Layer.SECCOMP,
            {"makes a device": 'os.mknod(w["folder"] + "/null", 0o20666, os.makedev(1, 3))'},
            touched,
        ),
        *ROOT_ONLY,
    ),
]

ENVIRONMENT = attacks(
    "secrets",
    Layer.ENVIRONMENT,
    {
        "finds a key in its environment": 'return os.environ.get(w["variable"])',
        "finds a key in its environment, asking C": (
            "libc.getenv.restype = ctypes.c_char_p\nfound = libc.getenv(w['variable'].encode())\n"
            "return found and found.decode()"
        ),
    },
    told,
)

PEEKS = refusable(
    attacks(
        "secrets",
        Layer.SECCOMP,
        {
            "reads the environment of another process": (
                'return open(f"/proc/{w[\'decoy\']}/environ", errors="replace").read()'
            ),
            "reads the memory of another process": (
                "memory = os.open(f\"/proc/{w['decoy']}/mem\", 0)\n"
                'return os.pread(memory, 40, w["address"]).decode("latin-1")'
            ),
            "reads the memory of another process by process_vm_readv": (
                "mine = room(40)\n"
                'size = call("process_vm_readv", w["decoy"], stretch(ctypes.addressof(mine), 40), 1, '
                'stretch(w["address"], 40), 1, 0)\n'
                'return mine.raw.decode("latin-1") if size > 0 else size'
            ),
            "takes a descriptor from another process": (
                'stolen = call("pidfd_getfd", pidfd(w["decoy"]), w["descriptor"], 0)\n'
                'return os.pread(stolen, 40, 0).decode("latin-1") if stolen >= 0 else stolen'
            ),
            "opens a file of another process": ("return open(f\"/proc/{w['decoy']}/fd/{w['descriptor']}\").read()"),
        },
        told,
    ),
    *ROOT_ONLY,
)

POKES = refusable(
    attacks(
        "secrets",
        Layer.SECCOMP,
        {
            "writes into the memory of another process": (
                "mine = room(b'forged')\n"
                'return call("process_vm_writev", w["decoy"], stretch(ctypes.addressof(mine), 1), 1, '
                'stretch(w["address"] + 30, 1), 1, 0)'
            ),
            "traces another process": 'return call("ptrace", 0x4206, w["decoy"], 0, 0)',
            "traces the zygote": 'return call("ptrace", 0x4206, os.getppid(), 0, 0)',
            "opens the memory of the zygote": 'return os.open(f"/proc/{os.getppid()}/mem", 2)',
            "opens the memory of the judge": "return os.open(f\"/proc/{w['judge']}/mem\", 2)",
            "writes over its own code": (
                'memory = os.open("/proc/self/mem", 2)\n'
                "at = ctypes.cast(libc.getpid, ctypes.c_void_p).value\n"
                "return os.pwrite(memory, os.pread(memory, 4, at), at)"
            ),
            "compares itself with another process": 'return call("kcmp", os.getpid(), w["decoy"], 1, 0, 0)',
            "takes a descriptor of another process": 'return pidfd(w["decoy"])',
        },
    ),
    *ROOT_ONLY,
    errno.ENOSYS,
)

SENDS = [
    *attacks(
        "network",
        Layer.SECCOMP,
        {
            "connects by TCP": (
                "line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n"
                'line.connect(("127.0.0.1", w["tcp"]))\nline.sendall(w["secret"].encode())'
            ),
            "sends by UDP": (
                "line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                'line.sendto(w["secret"].encode(), ("127.0.0.1", w["udp"]))'
            ),
            "asks a name server": (
                "line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                'name = bytes([len(w["secret"])]) + w["secret"].encode() + b"\\7invalid\\0"\n'
                'question = b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + name + b"\\0\\1\\0\\1"\n'
                'line.connect(("127.0.0.1", w["udp"]))\nline.send(question)'
            ),
            "connects to a unix socket by its path": (
                "line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)\n"
                'line.connect(w["unix"])\nline.sendall(w["secret"].encode())'
            ),
            "connects to an abstract unix socket": (
                "line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)\n"
                'line.connect(w["abstract"])\nline.sendall(w["secret"].encode())'
            ),
        },
        heard,
    ),
]

SOCKETS = [
    *attacks(
        "network",
        Layer.SECCOMP,
        {
            "opens a socket by system call": 'return call("socket", 2, 1, 0)',
            "opens a pair of sockets": 'return call("socketpair", 1, 1, 0, (ctypes.c_int * 2)())',
            "listens for connections": (
                "ear = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n"
                'ear.bind(("127.0.0.1", 0))\near.listen()\nreturn ear.getsockname()[1]'
            ),
            "asks the kernel for its routes": 'return call("socket", 16, 3, 0)',
        },
    ),
    *refusable(
        attacks("network", Layer.SECCOMP, {"listens to the wire": 'return call("socket", 17, 3, 0x0300)'}),
        *OPTIONAL,
        errno.EAFNOSUPPORT,
    ),
]

LOOKS_ABOUT = attacks(
    "other policies",
    Layer.SECCOMP,
    {
        "knocks on memory that all policies share": (
            "at = ctypes.cast(libc.getpid, ctypes.c_void_p).value & ~3\n"
            'return call("futex", at, 1, 1, 0, 0, 0)'  # FUTEX_WAKE, known by the file and not by the process
        ),
        "learns how many were judged before": "return os.getpid() or -1",
        "learns how much the judge has computed": (
            "return call(\"clock_gettime\", (~w['judge'] << 3) | 2, (ctypes.c_long * 2)())"
        ),
        "learns how much the zygote has computed": (
            'return call("clock_gettime", (~os.getppid() << 3) | 2, (ctypes.c_long * 2)())'
        ),
        "learns where the judge runs": 'return call("sched_getaffinity", w["judge"], 128, room(128))',
        "learns how busy the machine is": 'return call("sysinfo", room(256))',
        "learns what was read from disk before it": 'return call("getrusage", 0, room(256))',
    },
)

ATTACKS: list[Attack] = [
    *READS,
    *HANDLE,
    *LOOKS,
    *WRITES,
    *ENVIRONMENT,
    *PEEKS,
    *POKES,
    *SENDS,
    *SOCKETS,
    *LOOKS_ABOUT,
]
