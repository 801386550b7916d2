"""What a session that holds a package begins with: sent to the sandbox as text, and begun.

It imports nothing of cotmill.
"""

import base64 as _base64
import io as _io
import json as _json
import os as _os
import sys as _sys
import zipfile as _zipfile
import zlib as _zlib

import pytest as _pytest

_before: dict[str, str] = {}


def _begin(archive):
    _sys.dont_write_bytecode = True
    _zipfile.ZipFile(_io.BytesIO(_base64.b64decode(archive))).extractall(".")
    _sys.path[:0] = [_os.path.abspath(root) for root in ("src", ".") if _os.path.isdir(root)]
    _before.update(_tree())


def _tree():
    found = {}
    for folder, folders, names in _os.walk("."):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in names:
            path = _os.path.relpath(_os.path.join(folder, name), ".")
            if name.endswith(".py"):
                with open(path, newline="", errors="surrogateescape") as file:
                    found[path] = file.read()
    return found


def _changes():
    changed = {path: text for path, text in _tree().items() if _before.get(path) != text}
    return _base64.b64encode(_zlib.compress(_json.dumps(changed).encode())).decode()


def show(path, start=1, end=None):
    """Prints lines of a file, with their numbers."""
    with open(path) as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines[start - 1 : end], start):
        print(f"{number}\t{line}")


def search(text):
    """Prints the lines of Python files that hold a text."""
    for path, source in sorted(_tree().items()):
        for number, line in enumerate(source.splitlines(), 1):
            if text in line:
                print(f"{path}:{number}: {line}")


def write(path, text):
    """Writes a file, its folder too where there is none."""
    _os.makedirs(_os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    _forget()
    print(f"{path} is written")


def edit(path, old, new):
    """Replaces a text that occurs once in a file."""
    with open(path, newline="") as file:
        source = file.read()
    if source.count(old) != 1:
        raise ValueError(f"the text occurs {source.count(old)} times in {path}")
    with open(path, "w", newline="") as file:
        file.write(source.replace(old, new))
    _forget()
    print(f"{path} is changed")


def _forget():
    """Has modules of the package imported anew."""
    here = _os.getcwd()
    for name, module in list(_sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(here):
            del _sys.modules[name]


def run_tests(*names):
    """Runs the package's tests, or those of some files or ids, and prints what fails."""
    _sys.stdout.flush()
    child = _os.fork()
    if not child:
        options = ["-qq", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-o", "addopts="]
        _forget()
        status = _pytest.main([*options, "--rootdir=.", *names])
        _sys.stdout.flush()
        _os._exit(int(status))
    _os.waitpid(child, 0)
