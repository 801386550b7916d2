"""A session keeps what its cells did, and loses no more than the cell that went wrong."""

from __future__ import annotations

import ast
import socket
import sys
from concurrent.futures import Future
from unittest.mock import patch

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.processes import kill_all
from tests.sandbox.limits import SETTINGS
from transforms.sandbox import cells, supervisor
from transforms.sandbox.sandbox import Cell, CellResult, Sandbox, Status
from transforms.sandbox.sessions import Home, State


@pytest.fixture(scope="module")
def box():
    with Sandbox(SETTINGS) as open_box:
        yield open_box


def run_all(box: Sandbox, *codes: str) -> CellResult:
    """Runs cells one after the other and returns the last one's result."""
    after: tuple[str, ...] = ()
    for code in codes:
        result = box.run_cell(Cell(code, after))
        after = result.after
    return result


def test_a_cell_sees_what_earlier_cells_left(box):
    result = run_all(box, "x = [1]\ndef f(): return sum(x)", "x.append(2)", "f()")
    assert (result.status, result.value) == (Status.OK, "3")


def test_a_cell_shows_its_last_expression_and_what_it_printed(box):
    result = run_all(box, "print('seen')\n1\n'a' + 'b'")
    assert (result.value, result.stdout) == ("'ab'", "seen\n")


@pytest.mark.parametrize("code", ["x = 1", "None", "1\nx = 2", "exit()", ""])
def test_a_cell_without_a_last_value_shows_none(box, code):
    assert (run_all(box, code).status, run_all(box, code).value) == (Status.OK, None)


def test_an_exception_keeps_what_was_done_before_it(box):
    failed = run_all(box, "x = 1", "x = 2\n1 / 0")
    assert (failed.status, failed.error_type) == (Status.RUNTIME_ERROR, "ZeroDivisionError")
    assert box.run_cell(Cell("x", failed.after)).value == "2"


def test_a_traceback_shows_the_lines_of_the_cells_alone(box):
    error = run_all(box, "def f():\n    return {}['missing']", "f()").error
    assert 'File "<cell 1>", line 2, in f' in error
    assert "return {}['missing']" in error
    assert "cells.py" not in error


@pytest.mark.parametrize(
    ("code", "line"),
    [("x = 0\n\n1 / x", 3), ("x = 0\n\n1 / x\n\n", 3), ("x = 0\n1 / (\n    x)", 2)],
)
def test_a_traceback_names_the_line_of_a_last_expression(box, code, line):
    assert f'File "<cell 1>", line {line}, in <module>' in run_all(box, code).error


def test_a_last_line_that_is_no_syntax_is_the_one_named(box):
    failed = run_all(box, "x = 1\n\ny = = 2")
    assert (failed.status, failed.error_type) == (Status.SYNTAX_ERROR, "SyntaxError")
    assert 'File "<cell 1>", line 3' in failed.error


def test_a_future_statement_holds_for_the_last_line_and_later_cells(box):
    future = "from __future__ import annotations"
    at_once = f"{future}\ndef f(x: nowhere): pass"
    assert run_all(box, at_once, "f.__annotations__").value == "{'x': 'nowhere'}"
    assert run_all(box, future, "def f(x: nowhere): f\nf.__annotations__['x']").value == "'nowhere'"
    assert run_all(box, f"x = 1\n{future}").status is Status.SYNTAX_ERROR


STATEMENTS = (
    *("x", "x = 2", "x += 1; x", "x; x = 7", "# done", "", "'a' 'b'", "None", "x if x else 0"),
    *("max(\n1,\n  x\n)", "y = [\n1\n]", "x + \\\n1", "'''\nx = 4\nx'''", "(x,\n)"),
    *("if x:\n    x = 3", "for x in (): pass\nelse: x = 5", "try: x\nfinally: x = 6", "  # in"),
    *("@str\nclass A: pass", "def f():\n  return 1\n\nf()", "if x: x", "y = '''\nz\n'''"),
)


@given(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=5))
def test_a_cell_has_the_value_of_the_last_statement_of_its_syntax_tree(statements):
    code = "\n".join(["x = 1", *statements])
    tree, variables = ast.parse(code), {"__name__": "__main__"}
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "", "exec"), variables)
    value = last and eval(compile(ast.Expression(last.value), "", "eval"), variables)
    with patch.dict(sys.modules), patch.object(sys, "set_int_max_str_digits"):
        claim = cells.Session(0, 1 << 16, 0).run(code, 1, 0)
    assert claim == {"status": "ok"} | ({} if value is None else {"value": repr(value)})


LEAVES_NOTHING = {
    "times out": ("x = 2\nwhile True: pass", Status.TIMEOUT),
    "crashes": ("x = 2\nimport ctypes; ctypes.string_at(0)", Status.CRASHED),
    "runs out of memory": ("x = 2\ny = [0] * 10**9", Status.MEMORY_LIMIT),
    "prints too much": ("x = 2\nwhile True: print('x' * 1000)", Status.OUTPUT_LIMIT),
    "has too long a value": ("x = 2\n'x' * 70_000", Status.OUTPUT_LIMIT),
    "is not parsed": ("x = = 2", Status.SYNTAX_ERROR),
    "leaves large files": ("x = 2\nfor i in range(3):\n open(str(i), 'wb').write(bytes(1 << 19))",)
    + (Status.OUTPUT_LIMIT,),
    "closes all descriptors": ("x = 2\nimport os; os.closerange(0, 256)", Status.CRASHED),
    "forges a claim and leaves": (
        "x = 2\nimport os\nfor fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "ok", "value": "7"}\')\n except OSError: pass\n'
        "os._exit(0)",
        Status.CRASHED,
    ),
    "forges a claim and goes on": (
        "x = 2\nimport os\nfor fd in range(3, 64):\n"
        ' try: os.write(fd, b\'{"status": "ok", "value": "7"}\')\n except OSError: pass\n',
        Status.CRASHED,
    ),
}


@pytest.mark.parametrize(("code", "status"), LEAVES_NOTHING.values(), ids=LEAVES_NOTHING)
def test_a_cell_that_goes_wrong_loses_itself_alone(box, code, status):
    result = run_all(box, "x = 1", code)
    assert (result.status, result.after) == (status, ("x = 1",))
    assert result.error or result.error_type
    again = box.run_cell(Cell("x", result.after))
    assert (again.value, again.replayed) == ("1", 0)


def test_any_earlier_state_can_be_branched_without_running_its_cells_again(box):
    path = ("x = [0]", "x.append(1)", "x.append(2)", "x.append(3)", "x.append(4)")
    run_all(box, *path)
    branch = box.run_cell(Cell("x.append('b')\nx", path[:3]))
    assert (branch.value, branch.replayed) == ("[0, 1, 2, 'b']", 0)
    assert box.run_cell(Cell("x", path)).value == "[0, 1, 2, 3, 4]"


RANDOM = (
    "import random\nx = random.random()",
    "open('f', 'w').write(str(x))\nimport numpy",
    "y = numpy.random.rand(), random.random(), sorted({'a', 'b', 'c'}), open('f').read()",
    "list({str(i) for i in range(20)}), x, y",
)


@pytest.mark.parametrize("seed", [0, 3])
def test_a_state_that_was_dropped_is_rebuilt_the_same(box, seed):
    kept = box.run_cell(Cell(RANDOM[-1], RANDOM[:-1], seed))
    one_state = SETTINGS.model_copy(update={"snapshots": 1, "slots": 1})
    with Sandbox(one_state) as other:
        run_all(other, *RANDOM[:2])
        other.run_cell(Cell("another = 'numpy'"))
        rebuilt = other.run_cell(Cell(RANDOM[-1], RANDOM[:-1], seed))
    assert rebuilt.replayed == 3
    assert (kept.status, kept.value) == (Status.OK, rebuilt.value)


def test_seeds_differ(box):
    values = {box.run_cell(Cell(RANDOM[-1], RANDOM[:-1], seed)).value for seed in range(3)}
    assert len(values) == 3


def test_files_belong_to_a_state(box):
    first = run_all(box, "import os; os.mkdir('d')\nopen('d/f', 'w').write('one')")
    other = box.run_cell(Cell("open('d/f', 'w').write('two')", first.after))
    assert box.run_cell(Cell("open('d/f').read()", first.after)).value == "'one'"
    assert box.run_cell(Cell("open('d/f').read()", other.after)).value == "'two'"
    assert run_all(box, "import os; os.listdir('.')").value == "[]"


def test_imports_from_the_future_hold_in_later_cells(box):
    result = run_all(box, "from __future__ import annotations", "x: missing = 1\n__annotations__")
    assert result.value == "{'x': 'missing'}"


def test_a_later_cell_may_need_another_template(box):
    result = run_all(box, "x = 2", "import sympy\nsympy.Integer(x) / 4")
    assert (result.value, result.replayed) == ("1/2", 1)


# what a session does to itself


def test_memory_filled_over_many_cells_costs_the_cell_that_passes_the_limit(box):
    cells = ["x = []", *(f"x.append(bytearray(60 << 20))  # {i}" for i in range(8))]
    after: tuple[str, ...] = ()
    statuses = []
    for code in cells:
        result = box.run_cell(Cell(code, after))
        statuses.append(result.status)
        after = result.after
    assert set(statuses[:3]) == {Status.OK}
    assert statuses[-1] is Status.MEMORY_LIMIT
    assert box.run_cell(Cell("len(x)", after)).value == str(len(after) - 1)


def test_threads_and_children_end_with_their_cell(box):
    left = run_all(
        box,
        "import os, threading, time\nx = 1\n"
        "def spin():\n  while True: pass\n"
        "threading.Thread(target=spin, daemon=True).start()\n"
        "if os.fork() == 0:\n  while True: time.sleep(1)",
    )
    assert left.status is Status.OK
    after = box.run_cell(
        Cell("try: os.waitpid(-1, 0)\nexcept ChildProcessError: x = 2", left.after)
    )
    seen = box.run_cell(Cell("threading.active_count(), x", after.after))
    assert (seen.value, seen.replayed) == ("(1, 2)", 0)


def test_a_cell_cannot_end_the_state_it_came_from(box):
    code = (
        "import os\n"
        "for pid in (os.getppid(), -1, *range(2, 400)):\n"
        "  try: os.kill(pid, 9)\n  except OSError: pass"
    )
    result = run_all(box, "x = 1", code)
    assert result.status is Status.OK
    assert [box.run_cell(Cell("x", after)).replayed for after in (("x = 1",), result.after)] == [
        0,
        0,
    ]


def test_what_a_cell_patches_stays_in_its_session(box):
    patch = (
        "import builtins, json, os, sys, signal\n"
        "builtins.repr = lambda value: 'patched'\njson.dumps = json.loads = os.write = None\n"
        "sys.stdout = None\nos._exit = os.fork = signal.setitimer = None\n"
    )
    result = run_all(box, patch, "x = 5\nx")
    assert (result.status, result.value) == (Status.OK, "patched")
    other = run_all(box, "import json\nprint(json.dumps(1))\n3")
    assert (other.value, other.stdout) == ("3", "1\n")


def test_a_session_that_never_answers_again_ends_in_one_clear_error():
    forge = (
        "import os, stat\n"
        "for fd in range(3, 64):\n"
        "  try: kind = stat.S_IFMT(os.fstat(fd).st_mode)\n"
        "  except OSError: continue\n"
        "  if kind == stat.S_IFSOCK:\n"
        '    os.write(fd, b\'{"status": "ok", "value": "7"}\\n\')\n'
        "while True: pass"
    )
    with Sandbox(SETTINGS.model_copy(update={"wall_seconds": 5.0, "slots": 1})) as own:
        forged = run_all(own, forge)
        assert forged.value == "7"  # a claim, as all that a cell shows
        after = own.run_cell(Cell("1", forged.after))
        assert (after.status, after.after) == (Status.CRASHED, forged.after)
        assert "does not answer" in after.error
        assert run_all(own, "2").value == "2"


def test_sessions_begin_anew_where_the_state_they_begin_from_was_lost():
    with Sandbox(SETTINGS.model_copy(update={"slots": 1})) as own:
        run_all(own, "1")
        (home,) = next(iter(own._sessions._homes.values()))
        psutil.Process(home.slot.pid).children()[0].kill()
        assert [run_all(own, code).value for code in ("2", "3")] == ["2", "3"]
        assert own._sessions.kept == 3


def test_deleted_files_that_a_session_keeps_open_cannot_fill_the_disk(box):
    if not {layer.name: layer.active for layer in box.layers}["mount_namespace"]:
        pytest.skip("without a file system of its own there is no limit to fill")
    code = (
        "import os\nheld = []\nfor i in range(3):\n"
        "  held.append(open('f', 'wb')); held[-1].write(bytes(1 << 20)); held[-1].flush()\n"
        "  os.unlink('f')"
    )
    assert run_all(box, code).status is Status.OUTPUT_LIMIT
    assert run_all(box, "open('f', 'wb').write(bytes(1 << 19))").value == str(1 << 19)


def test_a_cell_whose_channel_others_keep_open_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = ours.fileno()
        assert supervisor.read_rest({channel: bytearray()}, {channel: 1}) == ""


# many sessions


def test_many_sessions_run_at_once_within_few_states():
    few = SETTINGS.model_copy(update={"snapshots": 8})
    with Sandbox(few) as own:
        after = dict.fromkeys(range(30), ())
        for turn in range(3):
            code = "x = {n}" if turn == 0 else "x += 100\nx"
            futures = {
                n: own.submit_cell(Cell(code.format(n=n), path)) for n, path in after.items()
            }
            results = {n: future.result() for n, future in futures.items()}
            after = {n: result.after for n, result in results.items()}
        assert {n: result.value for n, result in results.items()} == {
            n: str(n + 200) for n in range(30)
        }
        assert own._sessions.kept <= 8


def test_more_sessions_are_open_at_once_than_a_cell_may_have_files():
    limits = SETTINGS.model_copy(update={"open_files": 16, "slots": 1})
    with Sandbox(limits) as own:
        after = [own.run_cell(Cell(f"x = {n}")).after for n in range(40)]
        results = [own.run_cell(Cell("x", path)) for path in after]
    assert [(result.value, result.replayed) for result in results] == [
        (str(n), 0) for n in range(40)
    ]


def test_states_are_dropped_where_they_need_too_much_memory():
    small = SETTINGS.model_copy(update={"snapshots_mb": 64, "slots": 1})
    with Sandbox(small) as own:
        for n in range(5):
            own.run_cell(Cell(f"x = b'{n}' * (20 << 20)"))
        again = own.run_cell(Cell("x[:1]", (f"x = b'{0}' * (20 << 20)",)))
    assert (again.value, again.replayed) == ("b'0'", 1)


def test_more_states_than_a_process_may_have_files_are_kept_as_far_as_it_may():
    with Sandbox(SETTINGS.model_copy(update={"snapshots": 10**9, "slots": 1})) as own:
        assert run_all(own, "x = 7", "x").value == "7"


def test_a_session_outlives_its_supervisor():
    with Sandbox(SETTINGS.model_copy(update={"slots": 1})) as own:
        first = run_all(own, "x = 7")
        (template,) = own._templates.values()
        kill_all(psutil.Process(template._process.pid).children(recursive=True))
        after = own.run_cell(Cell("x", first.after))
    assert (after.value, after.replayed) == ("7", 1)


# cells against whole programs

STATEMENTS = (
    "x += 1",
    "items.append(x)",
    "print(x, items)",
    "def f(n): return n * x + len(items)",
    "y = f(x)",
    "class C:\n    count = x\n    def get(self): return self.count + x",
    "c = C().get()",
    "for i in range(3):\n    x += i",
    "g = (n for n in items)",
    "first = next(g, None)",
    "r = random.random()",
    "random.shuffle(items)",
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    caught = str(error)",
    "global_name = [lambda: x for _ in range(2)][0]()",
    "with open('log', 'a') as log: size = log.write(str(x))",
    "text = open('log', 'a+').name",
    "del y\ny = x",
    "y = z = x, *items",
    "print(end='-')",
)
START = (
    "import random\nx, y, items, f, g = 1, 0, [], abs, iter(())\n"
    "class C:\n    def get(self): return 0"
)
SHOW = (
    "sorted((name, repr(value)) for name, value in list(globals().items()) if not "
    "name.startswith('__') and isinstance(value, (int, float, str, list, tuple, type(None))))"
)


@settings(max_examples=15)
@given(data=st.data())
def test_cut_into_cells_a_program_leaves_and_prints_the_same(box, data):
    statements = [START, *data.draw(st.lists(st.sampled_from(STATEMENTS), max_size=8)), "y = 0"]
    cuts = data.draw(st.sets(st.integers(1, len(statements) - 1), min_size=1, max_size=3))
    bounds = [0, *sorted(cuts), len(statements)]
    cells = ["\n".join(statements[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]
    whole = box.run_cell(Cell("\n".join(statements)))
    after: tuple[str, ...] = ()
    printed = ""
    for code in cells:
        result = box.run_cell(Cell(code, after))
        after, printed = result.after, printed + result.stdout
    shown = [box.run_cell(Cell(SHOW, path)).value for path in (whole.after, after)]
    assert whole.status is result.status is Status.OK, (whole, result)
    assert (shown[0], whole.stdout) == (shown[1], printed)


def test_files_go_into_a_session_before_its_first_cell_and_the_wanted_ones_come_out(box):
    files = {"in/data.bin": bytes(range(256))}
    first = box.run_cell(Cell("data = open('in/data.bin', 'rb').read()", files=files))
    code = "open('a.csv', 'wb').write(data[::-1])\nopen('b.txt', 'w').write('no')"
    second = box.run_cell(Cell(code, first.after, files=files, wanted=("*.csv",)))
    assert (first.files, second.files) == ({}, {"a.csv": bytes(reversed(range(256)))})


def test_a_session_with_other_files_is_another_session(box):
    code = "open('x').read()"
    values = [box.run_cell(Cell(code, files={"x": data})).value for data in (b"one", b"two")]
    assert values == ["'one'", "'two'"]


def test_a_state_that_is_lost_is_rebuilt_with_the_files_of_its_session():
    first = Cell("x = open('x').read()", files={"x": b"one"})
    with Sandbox(SETTINGS) as other:
        after = other.run_cell(first).after
    with Sandbox(SETTINGS) as other:
        again = other.run_cell(Cell("x", after, files=first.files))
    assert (again.value, again.replayed) == ("'one'", 1)


def test_a_cell_that_fails_without_a_state_returns_no_file(box):
    code = "open('a.txt', 'w').write('x')\nimport os; os._exit(0)"
    assert box.run_cell(Cell(code, wanted=("*",))).files == {}


def test_files_over_the_limit_are_refused(box):
    result = box.run_cell(Cell("1", files={"x": bytes((SETTINGS.file_mb << 20) + 1)}))
    assert (result.status, "sandbox.file_mb" in result.error) == (Status.BLOCKED, True)


@pytest.mark.parametrize("name", ["/etc/x", "../x", ""])
def test_a_file_of_a_cell_is_named_below_its_folder(name):
    with pytest.raises(ValueError, match="below its folder"):
        Cell("1", files={name: b""})


def home(waiting: int, names: list[str]) -> Home:
    """A slot in which cells wait, and which keeps the states of these names."""
    made = Home()
    made.busy = waiting > 0
    made.waiting.extend([(Cell("1"), Future())] * (waiting - 1))
    for number, name in enumerate(names):
        made.add(name, State(number, "", 1.0, number))
    return made


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 5))
def test_cells_are_run_again_in_an_idle_slot_or_where_far_fewer_wait(here, there, depth):
    names = [str(number) for number in range(depth + 1)]
    stays = home(here, names[1:]).cost(names) < home(there, []).cost(names)
    assert stays == (here <= (depth if there == 0 else there + 8 * depth))
