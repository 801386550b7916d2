"""Hostile programs in families, each with the exact status that it must get."""

from __future__ import annotations

from dataclasses import dataclass

OK, TIMEOUT, MEMORY, OUTPUT = "ok", "timeout", "memory_limit", "output_limit"
ERROR, SYNTAX, BLOCKED, CRASHED = "runtime_error", "syntax_error", "blocked", "crashed"


@dataclass(frozen=True)
class Hostile:
    family: str
    name: str
    code: str
    status: str
    output: str | None = None
    """What its output must be, where its status alone does not show that it was contained."""
    by_rules_alone: str | None = None
    """Its status without namespaces, where Landlock and seccomp refuse what is else absent."""
    as_cell: tuple[str, ...] = ()
    """Its possible statuses as a cell, where they differ: cells have no `output`, a channel to end
    by, and no signals to themselves by number."""
    as_cell_output: str | None = None
    waits: bool = False
    """Whether it ends by the limit on wall time: its first process uses little CPU time itself."""

    def statuses(self, way: str, walled: bool) -> tuple[str, ...]:
        """Returns the statuses that it may get.

        Args:
            way: jobs or cells.
            walled: whether it runs in a mount namespace.
        """
        of_a_job = (self.by_rules_alone or self.status,) if not walled else (self.status,)
        if way == "jobs" or not self.as_cell:
            return of_a_job
        return self.as_cell if walled or not self.by_rules_alone else (*self.as_cell, *of_a_job)


def attempt(body: str) -> str:
    """Wraps `body` so that the program goes on after a refusal and says whether it got through."""
    indented = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return (
        f"output = 'through'\ntry:\n{indented}"
        "except BaseException as error:\n    output = 'refused'\n"
    )


REFUSED = '"refused"'

PROGRAMS = [
    # cpu
    Hostile("cpu", "endless loop", "while True: pass", TIMEOUT),
    Hostile(
        "cpu",
        "catches everything",
        "while True:\n try:\n  while True: pass\n except BaseException: pass",
        TIMEOUT,
    ),
    Hostile(
        "cpu",
        "regular expression that backtracks",
        "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
        TIMEOUT,
    ),
    Hostile(
        "cpu",
        "many processes share the work",
        "import os\nfor _ in range(3): os.fork()\nwhile True: pass",
        TIMEOUT,
        waits=True,
    ),
    Hostile("cpu", "power in C code that holds the interpreter", "x = 7 ** (10 ** 8)", TIMEOUT),
    Hostile(
        "cpu",
        "raises its own CPU limit",
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
        ERROR,
    ),
    # memory
    Hostile("memory", "one list", "x = [0] * 10 ** 10", MEMORY),
    Hostile("memory", "in steps", "x = []\nwhile True: x.append(bytearray(1 << 22))", MEMORY),
    Hostile("memory", "string doubled", "s = 'x'\nwhile True: s += s", MEMORY),
    Hostile("memory", "anonymous mapping", "import mmap; m = mmap.mmap(-1, 1 << 31)", MEMORY),
    Hostile("memory", "numpy array", "import numpy; x = numpy.ones((1 << 31,))", MEMORY),
    Hostile(
        "memory",
        "raises its own limit",
        attempt("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))"),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "memory",
        "recursive closure",
        "def f(x): return f([x, bytes(1 << 16)])\nimport sys; sys.setrecursionlimit(10 ** 6)\nf(0)",
        MEMORY,
    ),
    # fork
    Hostile("fork", "bomb", "import os\nwhile True: os.fork()", BLOCKED, as_cell=(CRASHED,)),
    Hostile(
        "fork",
        "bomb that catches",
        "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
        TIMEOUT,
        waits=True,
    ),
    Hostile(
        "fork",
        "child outlives its parent",
        "import os, time\nif os.fork() == 0: time.sleep(60)\noutput = 1",
        OK,
        output="1",
    ),
    Hostile(
        "fork",
        "double fork and own session",
        "import os, time\n"
        "if os.fork() == 0:\n"
        " try: os.setsid()\n"
        " except OSError: pass\n"
        " if os.fork() == 0:\n"
        "  while True: time.sleep(1)\n"
        " os._exit(0)\n"
        "output = 1",
        OK,
        output="1",
    ),
    Hostile(
        "fork",
        "child ignores every signal",
        "import os, time, signal\n"
        "if os.fork() == 0:\n"
        " for s in range(1, 32):\n"
        "  try: signal.signal(s, signal.SIG_IGN)\n"
        "  except (OSError, ValueError): pass\n"
        " while True: time.sleep(1)\n"
        "output = 1",
        OK,
        output="1",
    ),
    Hostile(
        "fork",
        "child of the zygote's own",
        attempt(
            "import ctypes\n"
            "ctypes.CDLL(None, use_errno=True).syscall\n"
            "if ctypes.CDLL(None).syscall(56, 0x8000 | 17, 0, 0, 0, 0) == -1: raise OSError"
        ),
        OK,
        output=REFUSED,
        as_cell_output='"through"',
    ),
    Hostile(
        "fork",
        "runs a shell",
        "import subprocess; subprocess.run(['/bin/sh', '-c', 'echo'])",
        BLOCKED,
    ),
    Hostile(
        "fork",
        "os.system",
        attempt("import os\nif os.system('true') != 0: raise OSError"),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "fork",
        "replaces itself by an interpreter",
        "import os, sys; os.execv(sys.executable, ['python'])",
        BLOCKED,
    ),
    # thread
    Hostile(
        "thread",
        "endless threads",
        "import threading, time\n"
        "while True: threading.Thread(target=time.sleep, args=(60,)).start()",
        ERROR,
    ),
    Hostile(
        "thread",
        "daemon thread spins on",
        "import threading\n"
        "def f():\n"
        " while True: pass\n"
        "threading.Thread(target=f, daemon=True).start()\n"
        "output = 1",
        OK,
        output="1",
    ),
    Hostile(
        "thread",
        "main thread leaves first",
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "output = 1",
        OK,
        output="1",
    ),
    # output
    Hostile("output", "prints for ever", "while True: print('x' * 100)", OUTPUT),
    Hostile(
        "output", "writes past print", "import os\nwhile True: os.write(1, b'x' * 4096)", OUTPUT
    ),
    Hostile("output", "one huge value", "output = 'x' * (1 << 20)", OUTPUT, as_cell=(OK,)),
    Hostile(
        "output", "huge input", "input = {'a': 'x' * (1 << 20)}\noutput = 1", OUTPUT, as_cell=(OK,)
    ),
    Hostile(
        "output",
        "floods the claim's channel",
        "import os\n"
        "for fd in range(3, 64):\n"
        " try:\n"
        "  while True: os.write(fd, b'x' * 65536)\n"
        " except OSError: pass",
        OUTPUT,
        as_cell=(CRASHED, OUTPUT),
    ),
    Hostile("output", "huge error message", "raise ValueError('x' * (1 << 24))", ERROR),
    # disk
    Hostile(
        "disk",
        "one large file",
        "f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 16))",
        BLOCKED,
    ),
    Hostile(
        "disk",
        "many files",
        "i = 0\nwhile True:\n i += 1\n with open(str(i), 'wb') as f: f.write(bytes(1 << 20))",
        BLOCKED,
        by_rules_alone=TIMEOUT,
        as_cell=(OUTPUT,),
    ),
    Hostile(
        "disk",
        "many empty files",
        "i = 0\nwhile True:\n i += 1\n open(str(i), 'wb').close()",
        BLOCKED,
        by_rules_alone=TIMEOUT,
    ),
    Hostile("disk", "sparse file", "import os; f = open('x', 'wb'); f.truncate(1 << 40)", BLOCKED),
    Hostile(
        "disk",
        "folders nested deep",
        "import os\nfor _ in range(1000):\n os.mkdir('d'); os.chdir('d')\noutput = 1",
        OK,
        output="1",
    ),
    Hostile(
        "disk",
        "folders that forbid",
        "import os\n"
        "os.makedirs('a/b/c')\n"
        "open('a/b/c/f', 'w').close()\n"
        "os.chmod('a/b', 0); os.chmod('a', 0); os.chmod('.', 0)\n"
        "output = 1",
        OK,
        output="1",
    ),
    Hostile(
        "disk",
        "shared memory file",
        attempt(
            "from multiprocessing import shared_memory\n"
            "shared_memory.SharedMemory(create=True, size=1 << 30)"
        ),
        OK,
        output=REFUSED,
    ),
    Hostile("disk", "memory file", "import os; os.memfd_create('x')", BLOCKED),
    # descriptors
    Hostile(
        "descriptors",
        "opens without end",
        "import os\nwhile True: os.open('/dev/null', 0)",
        BLOCKED,
    ),
    Hostile("descriptors", "pipes without end", "import os\nwhile True: os.pipe()", BLOCKED),
    Hostile("descriptors", "closes all", "import os; os.closerange(0, 256); output = 1", CRASHED),
    Hostile(
        "descriptors",
        "finds inherited ones",
        "import os, stat\n"
        "found = []\n"
        "for fd in range(3, 64):\n"
        " try: found.append(stat.S_IFMT(os.fstat(fd).st_mode) == stat.S_IFIFO)\n"
        " except OSError: pass\n"
        "output = found",
        OK,
        output="[true]",
        as_cell_output="[false]",
    ),
    # signals
    Hostile(
        "signals",
        "ignores all",
        "import signal\n"
        "for s in range(1, 32):\n"
        " try: signal.signal(s, signal.SIG_IGN)\n"
        " except (OSError, ValueError): pass\n"
        "while True: pass",
        TIMEOUT,
    ),
    Hostile(
        "signals",
        "stops itself",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        TIMEOUT,
        waits=True,
        as_cell=(BLOCKED,),
    ),
    Hostile(
        "signals",
        "kills its parent",
        attempt(
            "import os, time\n"
            "os.kill(os.getppid(), 9); time.sleep(0.1)\n"
            "if os.getppid() == 1: raise OSError"
        ),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "signals",
        "stops its parent",
        attempt(
            "import os, signal\n"
            "os.kill(os.getppid(), signal.SIGSTOP)\n"
            "if os.getppid() == 1: raise OSError"
        ),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "signals",
        "interrupts its parent",
        attempt(
            "import os, signal\n"
            "os.kill(os.getppid(), signal.SIGINT)\n"
            "if os.getppid() == 1: raise OSError"
        ),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "signals",
        "kills everyone",
        "import os\ntry: os.kill(-1, 9)\nexcept OSError: pass\noutput = 1",
        OK,
        output="1",
    ),
    Hostile("signals", "kills its group", "import os; os.killpg(0, 9)", CRASHED),
    Hostile("signals", "alarm", "import signal, time; signal.alarm(1); time.sleep(60)", CRASHED),
    Hostile(
        "signals",
        "limits its parent",
        attempt(
            "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))"
        ),
        OK,
        output=REFUSED,
    ),
    # network
    Hostile(
        "network",
        "connects out",
        "import socket; socket.create_connection(('1.1.1.1', 80), 1)",
        BLOCKED,
    ),
    Hostile(
        "network", "loopback", "import socket; socket.socket().connect(('127.0.0.1', 22))", BLOCKED
    ),
    Hostile(
        "network",
        "datagram",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        BLOCKED,
    ),
    Hostile(
        "network",
        "raw packets",
        "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        BLOCKED,
    ),
    Hostile(
        "network",
        "netlink",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        BLOCKED,
    ),
    Hostile(
        "network",
        "abstract Unix socket",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0x')",
        BLOCKED,
    ),
    Hostile(
        "network",
        "name lookup",
        attempt("import socket; socket.getaddrinfo('example.com', 80)"),
        OK,
        output=REFUSED,
    ),
    # files
    Hostile("files", "reads passwd", "open('/etc/passwd').read()", ERROR, by_rules_alone=BLOCKED),
    Hostile(
        "files",
        "reads the list of groups",
        attempt("open('/etc/group').read()"),
        OK,
        output=REFUSED,
    ),
    Hostile("files", "writes into the library", "import os; open(os.__file__, 'a')", BLOCKED),
    Hostile(
        "files",
        "writes beside the library",
        "import os; open(os.path.dirname(os.__file__) + '/evil.py', 'w')",
        BLOCKED,
    ),
    Hostile(
        "files",
        "climbs out by ..",
        "open('../../../../../etc/shadow')",
        ERROR,
        by_rules_alone=BLOCKED,
    ),
    Hostile(
        "files",
        "symbolic link out",
        "import os; os.symlink('/etc/hostname', 'x'); open('x').read()",
        ERROR,
        by_rules_alone=BLOCKED,
    ),
    Hostile(
        "files",
        "mounts",
        attempt(
            "import ctypes\n"
            "if ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, b'') != 0: raise OSError"
        ),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "files",
        "new user namespace",
        attempt("import ctypes\nif ctypes.CDLL(None).unshare(0x10000000) != 0: raise OSError"),
        OK,
        output=REFUSED,
    ),
    Hostile("files", "chroot", attempt("import os; os.chroot('/tmp')"), OK, output=REFUSED),
    Hostile(
        "files",
        "device node",
        attempt("import os, stat; os.mknod('sda', stat.S_IFBLK | 0o600, os.makedev(8, 0))"),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "files",
        "set-user-id file",
        attempt("import os\nopen('x', 'w').close(); os.chmod('x', 0o4755)\nos.execv('x', ['x'])"),
        OK,
        output=REFUSED,
    ),
    # environment
    Hostile(
        "environment",
        "secrets",
        "import os; output = any('SECRET' in k or 'HUNTER' in v for k, v in os.environ.items())",
        OK,
        output="false",
    ),
    Hostile(
        "environment",
        "arguments of the host",
        "import sys; output = [a for a in sys.argv if 'hostile' in a]",
        OK,
        output="[]",
    ),
    # proc
    Hostile(
        "proc",
        "environment of init",
        "open('/proc/1/environ', 'rb').read()",
        ERROR,
        by_rules_alone=BLOCKED,
    ),
    Hostile(
        "proc",
        "memory of its parent",
        "import os; open(f'/proc/{os.getppid()}/mem', 'r+b')",
        ERROR,
        by_rules_alone=BLOCKED,
    ),
    Hostile(
        "proc",
        "system settings",
        "open('/proc/sys/kernel/core_pattern', 'w')",
        ERROR,
        by_rules_alone=BLOCKED,
    ),
    Hostile(
        "proc",
        "traces its parent",
        attempt(
            "import ctypes, os\n"
            "if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) != 0: raise OSError"
        ),
        OK,
        output=REFUSED,
    ),
    # tampering
    Hostile(
        "tampering",
        "breaks builtins and modules, then crashes",
        "import sys, json, builtins, os, ctypes\n"
        'json.dumps = lambda *a, **k: \'{"status": "ok"}\'\n'
        "builtins.len = None; sys.modules.clear()\n"
        "ctypes.string_at(0)",
        CRASHED,
    ),
    Hostile(
        "tampering",
        "replaces json.dumps",
        "import json\njson.dumps = lambda *a, **k: 'garbage'\noutput = 1",
        CRASHED,
        as_cell=(OK,),
    ),
    Hostile(
        "tampering",
        "replaces os._exit",
        "import os, time\nos._exit = lambda code: time.sleep(60)\noutput = 1",
        TIMEOUT,
        waits=True,
        as_cell=(OK,),
    ),
    Hostile(
        "tampering",
        "forges ok, then crashes",
        "import os\n"
        "for fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "ok", "output": "1"}\')\n'
        " except OSError: pass\n"
        "os.abort()",
        CRASHED,
    ),
    Hostile(
        "tampering",
        "forges ok, then spins",
        "import os\n"
        "for fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "ok", "output": "1"}\')\n'
        " except OSError: pass\n"
        "while True: pass",
        TIMEOUT,
    ),
    Hostile(
        "tampering",
        "forges frames of the protocol",
        "import os\n"
        "for fd in range(1, 64):\n"
        " try: os.write(fd, bytes(64) + b'\\0\\0\\0\\1x' * 9)\n"
        " except OSError: pass\n"
        "output = 1",
        CRASHED,
    ),
    Hostile(
        "tampering",
        "forges an unknown status",
        "import os\n"
        "for fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "nondeterministic"}\')\n'
        " except OSError: pass\n"
        "os._exit(0)",
        CRASHED,
    ),
    Hostile(
        "tampering",
        "forges a value that is not JSON",
        "import os\n"
        "for fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "ok", "output": "Infinity"}\')\n'
        " except OSError: pass\n"
        "os._exit(0)",
        CRASHED,
    ),
    Hostile(
        "tampering",
        "child writes a claim after its parent's crash",
        "import os, time\n"
        "if os.fork() == 0:\n"
        " time.sleep(0.2)\n"
        " for fd in range(3, 64):\n"
        '  try: os.write(fd, b\'{"status": "ok"}\')\n'
        "  except OSError: pass\n"
        "os.abort()",
        CRASHED,
    ),
    Hostile(
        "tampering",
        "walks to the zygote's frames",
        "import sys\n"
        "f = sys._getframe()\n"
        "while f.f_back: f = f.f_back\n"
        "f.f_globals.clear()\n"
        "output = 1",
        OK,
        output="1",
    ),
    Hostile(
        "tampering",
        "trace function swallows the end",
        "import sys\n"
        "sys.settrace(lambda *a: (_ for _ in ()).throw(SystemExit(1)))\n"
        "def f(): pass\n"
        "f()",
        ERROR,
    ),
    Hostile(
        "tampering",
        "exception that lies about itself",
        "class E(BaseException):\n def __str__(self): raise E()\nraise E()",
        ERROR,
    ),
    Hostile("tampering", "memory error of its own", "raise MemoryError('pretended')", MEMORY),
    # imports
    Hostile("imports", "the harness by name", "import harness", ERROR),
    Hostile(
        "imports", "the project", attempt("import transforms.engine.settings"), OK, output=REFUSED
    ),
    Hostile(
        "imports",
        "a module of its own in scratch",
        "open('json.py', 'w').write('x = 1')\n"
        "import sys; sys.path.insert(0, '.'); del sys.modules['json']\n"
        "import json; output = json.x",
        OK,
        output="1",
    ),
    Hostile(
        "imports",
        "loads a library from scratch",
        attempt(
            "import ctypes\n"
            "open('x.so', 'wb').write(open(ctypes.__file__, 'rb').read()[:64])\n"
            "ctypes.CDLL('./x.so')"
        ),
        OK,
        output=REFUSED,
    ),
    # ctypes
    Hostile("ctypes", "null pointer", "import ctypes; ctypes.string_at(0)", CRASHED),
    Hostile("ctypes", "exits at once", "import ctypes; ctypes.CDLL(None)._exit(0)", CRASHED),
    Hostile(
        "ctypes",
        "turns the filter off",
        attempt("import ctypes\nif ctypes.CDLL(None).prctl(22, 0, 0) != 0: raise OSError"),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "ctypes",
        "io_uring",
        attempt("import ctypes\nif ctypes.CDLL(None).syscall(425, 8, 0) < 0: raise OSError"),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "ctypes",
        "keyring",
        attempt(
            "import ctypes\n"
            "if ctypes.CDLL(None).syscall(248, b'user', b'x', b'y', 1, -3) < 0: raise OSError"
        ),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "ctypes",
        "reads its parent's memory",
        attempt(
            "import ctypes, os\n"
            "if ctypes.CDLL(None).syscall(310, os.getppid(), 0, 0, 0, 0, 0) < 0: raise OSError"
        ),
        OK,
        output=REFUSED,
    ),
    # recursion
    Hostile("recursion", "plain", "def f(): f()\nf()", ERROR),
    Hostile(
        "recursion",
        "without a limit, through C",
        "import sys; sys.setrecursionlimit(10 ** 9)\n"
        "class A:\n"
        " def __repr__(self): return repr(self)\n"
        "repr(A())",
        CRASHED,
    ),
    Hostile("recursion", "nested source", "output = " + "[" * 10000 + "]" * 10000, SYNTAX),
    Hostile(
        "recursion", "nested value", "x = []\nfor _ in range(10 ** 5): x = [x]\noutput = x", OK
    ),
    # huge
    Hostile("huge", "tower", "output = 9 ** 9 ** 9", TIMEOUT),
    Hostile("huge", "factorial", "import math; output = math.factorial(10 ** 7)", TIMEOUT),
    Hostile("huge", "shift", "output = 1 << 10 ** 11", MEMORY),
    Hostile("huge", "format width", "output = f'{1:10000000000}'", MEMORY),
    # pickle
    Hostile(
        "pickle",
        "loads one that runs code",
        "import pickle\n"
        "class E:\n"
        " def __reduce__(self): return (__import__('os').abort, ())\n"
        "pickle.loads(pickle.dumps(E()))",
        CRASHED,
    ),
    Hostile(
        "pickle",
        "output that would",
        "class E:\n def __reduce__(self): return (__import__('os').system, ('id',))\noutput = E()",
        OK,
    ),
    # exit
    Hostile("exit", "exit(0) before the output", "exit(0)\noutput = 1", OK),
    Hostile("exit", "exit(3)", "exit(3)", ERROR),
    Hostile("exit", "os._exit(0)", "import os; output = 1; os._exit(0)", CRASHED),
    Hostile(
        "exit",
        "atexit spins",
        "import atexit\ndef f():\n while True: pass\natexit.register(f)\noutput = 1",
        OK,
        output="1",
    ),
    Hostile(
        "exit",
        "finalizer spins",
        "class A:\n def __del__(self):\n  while True: pass\na = A()\noutput = 1",
        OK,
        output="1",
    ),
    Hostile("exit", "base exception", "raise KeyboardInterrupt", ERROR),
    Hostile("exit", "generator exit", "raise GeneratorExit", ERROR),
    # encoding
    Hostile("encoding", "lone surrogate", "output = '\\ud800'", OK),
    Hostile("encoding", "surrogate to stdout", "print('\\ud800'); output = 1", OK, output="1"),
    Hostile(
        "encoding",
        "bytes that are no text",
        "import os; os.write(1, bytes(range(256))); output = 1",
        OK,
        output="1",
    ),
    Hostile("encoding", "null in the source", "output = 1\x00", SYNTAX),
    Hostile(
        "encoding", "unknown coding line", "# -*- coding: evil -*-\noutput = 1", OK, output="1"
    ),
    Hostile(
        "encoding",
        "closes stdout",
        "import sys; sys.stdout.close(); output = 1",
        ERROR,
        as_cell=(OK,),
    ),
    # time
    Hostile("time", "sleeps", "import time; time.sleep(60)", TIMEOUT, waits=True),
    Hostile("time", "waits for input", "import sys; output = sys.stdin.read()", OK, output='""'),
    Hostile(
        "time", "waits on a pipe", "import os; r, w = os.pipe(); os.read(r, 1)", TIMEOUT, waits=True
    ),
    Hostile(
        "time",
        "sets the clock",
        attempt("import time; time.clock_settime(time.CLOCK_REALTIME, 0)"),
        OK,
        output=REFUSED,
    ),
    Hostile(
        "time",
        "turns the clock back in its own process",
        "import time\ntime.monotonic = time.time = lambda: 0.0\nwhile True: time.sleep(1)",
        TIMEOUT,
        waits=True,
    ),
]
