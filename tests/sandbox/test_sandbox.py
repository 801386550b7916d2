"""Each status is provoked by a real program, and a healthy one follows it."""

from __future__ import annotations

import json
import threading

import pytest

from tests.sandbox.limits import HEALTHY, SETTINGS
from transforms.engine.errors import SandboxError
from transforms.sandbox import isolation
from transforms.sandbox.sandbox import Job, Sandbox, Status


@pytest.fixture(scope="module")
def box():
    with Sandbox(SETTINGS) as open_box:
        yield open_box


def run(box: Sandbox, code: str, seed: int = 0):
    """Runs `code`, then a healthy program, whose result must be right."""
    result, after = box.run([Job(code, seed), HEALTHY])
    assert (after.status, after.input, after.output) == (Status.OK, '{"a": 2}', "42")
    return result


CASES = {
    "arithmetic": ("output = 6 * 7", Status.OK),
    "infinite loop": ("while True: pass", Status.TIMEOUT),
    "ignores SIGTERM and SIGXCPU": (
        "import signal\nfor s in (signal.SIGTERM, signal.SIGXCPU):\n"
        " signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
        Status.TIMEOUT,
    ),
    "memory hog": ("x = [0] * 10**9", Status.MEMORY_LIMIT),
    "memory hog in steps": (
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        Status.MEMORY_LIMIT,
    ),
    "prints without end": ("while True: print('x' * 1000)", Status.OUTPUT_LIMIT),
    "prints just over": ("print('x' * 70_000)", Status.OUTPUT_LIMIT),
    "output value too long": ("output = 'x' * 70_000", Status.OUTPUT_LIMIT),
    "division by zero": ("output = 1 / 0", Status.RUNTIME_ERROR),
    "recursion": ("def f(): return f()\noutput = f()", Status.RUNTIME_ERROR),
    "exit 1": ("import sys; sys.exit(1)", Status.RUNTIME_ERROR),
    "syntax": ("output = = 1", Status.SYNTAX_ERROR),
    "null byte": ("output = 1\0", Status.SYNTAX_ERROR),
    "nested too deeply to parse": ("output = " + "(" * 5000 + ")" * 5000, Status.SYNTAX_ERROR),
    "large file": ("open('x', 'wb').write(bytes(1 << 21))", Status.BLOCKED),
    "many files": ("f = [open('/dev/null') for _ in range(100)]", Status.BLOCKED),
    "os._exit": ("import os; output = 1; os._exit(0)", Status.CRASHED),
    "abort": ("import os; os.abort()", Status.CRASHED),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", Status.CRASHED),
    "fault in native code": ("import ctypes; ctypes.string_at(0)", Status.CRASHED),
}


@pytest.mark.parametrize(("code", "status"), CASES.values(), ids=CASES.keys())
def test_a_program_gets_its_status_and_the_next_one_its_result(box, code, status):
    assert run(box, code).status is status


VALUES = {
    "tuple": ("(1, (2, 3))", [1, [2, 3]]),
    "set": ("{3, 1, 2}", [1, 2, 3]),
    "set of strings": ("{'b', 'a'}", ["a", "b"]),
    "set of sets": ("{frozenset({2, 1}), frozenset({1})}", [[1, 2], [1]]),
    "integer keys": ("{1: 'a', True + 1: 'b'}", {"1": "a", "2": "b"}),
    "numpy scalar": ("__import__('numpy').int64(5)", 5),
    "numpy array": ("__import__('numpy').arange(4).reshape(2, 2)", [[0, 1], [2, 3]]),
    "fraction": ("__import__('fractions').Fraction(2, 6)", "1/3"),
    "decimals": ("[__import__('decimal').Decimal('2.50')]", ["2.50"]),
    "date": ("__import__('datetime').date(2024, 2, 29)", "2024-02-29"),
    "none": ("None", None),
    "unicode": ("'π ≈ 3'", "π ≈ 3"),
}


@pytest.mark.parametrize(("expression", "value"), VALUES.values(), ids=VALUES.keys())
def test_values_become_strict_json(box, expression, value):
    result = run(box, f"output = {expression}")
    assert result.status is Status.OK
    assert json.loads(result.output) == value


NOT_JSON = {
    "nan": ("float('nan')", "float nan"),
    "infinity": ("[1.0, float('-inf')]", "float -inf"),
    "complex": ("1j", "complex"),
    "function": ("print", "builtin_function_or_method"),
    "decimal without a value": ("__import__('decimal').Decimal('NaN')", "Decimal NaN"),
    "sympy": ("__import__('sympy').Integer(3)", "Integer"),
    "tuple keys": ("{(1, 2): 3}", "key of type tuple"),
    "keys that collide": ("{1: 2, '1': 3}", "keys that are one"),
    "lone surrogate": ("'\\ud800'", "lone surrogate"),
    "array of objects": ("__import__('numpy').array([1j, 2], dtype=object)", "complex"),
    "itself": ("(lambda x: x.append(x) or x)([])", "too deeply"),
}


@pytest.mark.parametrize(("expression", "named"), NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_named(box, expression, named):
    result = run(box, f"output = {expression}")
    assert (result.status, result.output, result.error_type) == (Status.OK, None, "NotJSON")
    assert named in result.error


def test_integers_of_ten_thousand_digits_survive(box):
    result = run(box, "output = 10 ** 9_999 + 7")
    assert result.output == "1" + "0" * 9_998 + "7"


def test_an_undefined_output_is_none_without_an_error(box):
    result = run(box, "x = 1")
    assert (result.status, result.output, result.error_type) == (Status.OK, None, None)


def test_exit_after_the_output_keeps_it(box):
    assert run(box, "output = 3\nexit()").output == "3"


def test_an_error_is_named(box):
    result = run(box, "raise KeyError('missing')")
    assert (result.error_type, result.error) == ("KeyError", "'missing'")


def test_stdout_is_captured_apart_from_the_output(box):
    result = run(box, "print('hello')\noutput = 1")
    assert (result.stdout, result.output) == ("hello\n", "1")


def test_the_hash_seed_changes_with_the_seed(box):
    code = "output = str({str(i) for i in range(50)})"
    assert run(box, code, seed=0).output != run(box, code, seed=1).output
    assert run(box, code, seed=0).output == run(box, code, seed=0).output


def test_random_changes_with_the_seed_and_only_with_it(box):
    for code in (
        "import random; output = random.random()",
        "import numpy; output = numpy.random.rand()",
    ):
        assert run(box, code, seed=0).output != run(box, code, seed=1).output
        assert run(box, code, seed=0).output == run(box, code, seed=0).output


@pytest.mark.parametrize(
    "code",
    [
        "import sys, json, builtins\njson.dumps = None\nsys.stdout = None\nbuiltins.open = None\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "import os\nfor fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "ok", "output": "1"}\')\n except OSError: pass\n'
        "os.abort()",
    ],
    ids=["breaks the harness", "forges a result"],
)
def test_a_crash_cannot_be_passed_off_as_ok(box, code):
    assert run(box, code).status is Status.CRASHED


def test_garbage_on_every_descriptor_is_never_an_ok(box):
    code = (
        "import os\nfor fd in range(3, 64):\n try: os.write(fd, b'garbage')\n"
        " except OSError: pass\noutput = 1"
    )
    assert run(box, code).status is Status.CRASHED


def test_a_forged_value_that_is_not_json_is_refused(box):
    code = (
        "import os\nfor fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "ok", "output": "NaN"}\')\n'
        " except OSError: pass\nos._exit(0)"
    )
    assert run(box, code).status is Status.CRASHED


def test_nothing_of_the_host_is_in_the_environment(box, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    result = run(box, "import os; output = dict(os.environ)")
    assert "hunter2" not in result.output


def test_tempfile_works_and_leaves_nothing(box):
    code = "import tempfile, os\nf = tempfile.NamedTemporaryFile(delete=False)\n"
    code += "f.write(b'x'); f.close()\nopen('mine', 'w').write('x')\noutput = os.listdir('.')"
    first, second = run(box, code), run(box, "import os; output = os.listdir('.')")
    assert "mine" in json.loads(first.output)
    assert json.loads(second.output) == []


def test_results_come_lazily_and_in_the_order_of_the_jobs(box):
    drawn = 0

    def endless():
        nonlocal drawn
        while True:
            yield Job(f"import time; time.sleep({0.2 if drawn % 2 else 0}); output = {drawn}")
            drawn += 1

    results = box.run(endless())
    assert [next(results).output for _ in range(5)] == ["0", "1", "2", "3", "4"]
    assert drawn < 20
    results.close()


def test_it_runs_from_any_thread_and_beside_another_sandbox(box):
    outputs = []

    def work():
        with Sandbox(SETTINGS) as other:
            outputs.extend(result.output for result in other.run([HEALTHY] * 3))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    outputs.extend(result.output for result in box.run([HEALTHY] * 3))
    for thread in threads:
        thread.join()
    assert outputs == ["42"] * 9


def test_trusted_helpers_can_import_site_packages(box):
    code = "from math_verify import parse, verify\n"
    code += "output = bool(verify(parse('$\\\\frac{1}{2}$'), parse('$0.5$'), timeout_seconds=None))"
    settings = SETTINGS.model_copy(
        update={"wall_seconds": 60, "cpu_seconds": 60, "memory_mb": 2048}
    )
    with Sandbox(settings) as roomy:
        (result,) = roomy.run([Job(code)])
    assert (result.status, result.output) == (Status.OK, "true"), result


def test_strict_refuses_in_one_line_that_names_what_is_missing():
    strict = SETTINGS.model_copy(update={"mode": "strict"})
    without = frozenset({"seccomp", "network_namespace"})
    with pytest.raises(SandboxError) as refusal, Sandbox(strict, without):
        pass
    assert "no network isolation" in str(refusal.value)
    assert "no file isolation" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


NO_FILE_ISOLATION = frozenset({"landlock", "mount_namespace"})


def test_auto_refuses_in_one_line_where_programs_could_read_files():
    with pytest.raises(SandboxError, match="sandbox=none") as refusal:
        Sandbox(SETTINGS, NO_FILE_ISOLATION).__enter__()
    assert "sandbox=auto cannot start: no file isolation" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_none_starts_without_file_isolation():
    with Sandbox(SETTINGS.model_copy(update={"mode": "none"}), NO_FILE_ISOLATION) as box:
        assert run(box, "output = 1").output == "1"


def test_auto_starts_with_landlock_alone(box):
    if not {layer.name: layer.active for layer in box.layers}["landlock"]:
        pytest.skip("no Landlock here")
    with Sandbox(SETTINGS, NO_FILE_ISOLATION - {"landlock"}) as walled:
        assert run(walled, "output = 1").output == "1"


def test_a_forged_value_over_the_size_limit_is_refused(box):
    code = (
        "import os, json\nvalue = json.dumps('x' * 70_000)\n"
        "claim = json.dumps({'status': 'ok', 'output': value})\n"
        "for fd in range(3, 64):\n try: os.write(fd, claim.encode())\n except OSError: pass\n"
        "os._exit(0)"
    )
    assert run(box, code).status is Status.OUTPUT_LIMIT


def test_a_folder_below_a_link_is_shown_through_the_link(tmp_path):
    (tmp_path / "real" / "lib").mkdir(parents=True)
    (tmp_path / "real" / "lib64").symlink_to("lib")
    (tmp_path / "venv").symlink_to(tmp_path / "real")
    visible = [f"{tmp_path}/venv/lib", f"{tmp_path}/venv/lib64"]
    shown = isolation.links_and_targets(visible)
    assert shown == [f"{tmp_path}/real/lib", f"{tmp_path}/real/lib64", f"{tmp_path}/venv"]
