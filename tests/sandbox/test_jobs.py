"""Jobs carry files and standard input in and files out, and a checker judges from outside."""

from __future__ import annotations

import pytest

from tests.sandbox.limits import SETTINGS
from transforms.sandbox.sandbox import Check, Job, Sandbox, Status


@pytest.fixture(scope="module")
def box():
    with Sandbox(SETTINGS) as open_box:
        yield open_box


def run(box: Sandbox, job: Job):
    (result,) = box.run([job])
    return result


def test_a_job_reads_its_standard_input(box):
    code = "import sys\nfirst = input()\noutput = [first, sys.stdin.read(), sys.stdin.read()]"
    assert run(box, Job(code, stdin="né\n2\n3")).output == '["né", "2\\n3", ""]'


def test_files_go_in_and_the_wanted_ones_come_out(box):
    code = (
        "data = open('in/data.bin', 'rb').read()\n"
        "import os; os.mkdir('out')\n"
        "open('out/a.csv', 'wb').write(data[::-1])\nopen('out/b.txt', 'w').write('no')\noutput = 1"
    )
    result = run(box, Job(code, files={"in/data.bin": bytes(range(256))}, wanted=("out/*.csv",)))
    assert result.files == {"out/a.csv": bytes(reversed(range(256)))}


def test_nothing_of_a_job_is_there_for_the_next(box):
    run(box, Job("output = 1", stdin="x", files={"a/b": b"x"}))
    assert run(box, Job("import os; output = os.listdir('.')")).output == "[]"


def test_links_and_special_files_do_not_come_out(box):
    code = (
        "import os\nos.symlink('/etc/passwd', 'link'); os.symlink('/etc', 'folder')\n"
        "try: os.mkfifo('pipe')\nexcept OSError: pass\nopen('plain', 'w').write('x')\noutput = 1"
    )
    assert run(box, Job(code, wanted=("*",))).files == {"plain": b"x"}


def test_more_files_than_allowed_are_an_output_limit(box):
    code = "for i in range(3): open(str(i), 'wb').write(bytes(1 << 19))\noutput = 1"
    result = run(box, Job(code, wanted=("*",)))
    assert (result.status, result.files) == (Status.OUTPUT_LIMIT, {})
    assert run(box, Job(code)).status is Status.OK


def test_larger_files_than_allowed_do_not_go_in(box):
    result = run(box, Job("output = 1", files={"f": bytes((1 << 20) + 1)}))
    assert result.status is Status.BLOCKED
    assert "sandbox.file_mb" in result.error


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "", "a\0b"])
def test_a_file_stays_below_the_folder(name):
    with pytest.raises(ValueError, match="path below"):
        Job("", files={name: b""})


CHECKER = Job(
    "import json\nfacts = json.load(open('candidate.json'))\n"
    "output = {'right': facts['output'] == 42 and open('expected').read() == '42'}",
    files={"expected": b"42"},
)


@pytest.mark.parametrize(("code", "right"), [("output = 42", "true"), ("output = 41", "false")])
def test_a_checker_judges_what_the_candidate_left(box, code, right):
    checked = box.submit_check(Check(Job(code), CHECKER)).result()
    assert checked.checker.output == f'{{"right": {right}}}'


def test_a_checker_reads_wanted_files_and_what_was_printed(box):
    checker = Job(
        "import json\noutput = [json.load(open('candidate.json'))['stdout'], "
        "open('candidate/answer').read()]"
    )
    candidate = Job("print('hi')\nopen('answer', 'w').write('6')\noutput = 1", wanted=("answer",))
    assert box.submit_check(Check(candidate, checker)).result().checker.output == '["hi\\n", "6"]'


def test_nothing_that_a_candidate_did_reaches_its_checker(box):
    candidate = (
        "import builtins, json, os, sys, time\n"
        "json.load = builtins.open = None\n"
        "open_file = os.open\n"
        "for name in ('candidate.json', 'expected', 'json.py', 'sitecustomize.py'):\n"
        "  os.close(os.open(name, os.O_CREAT | os.O_WRONLY))\n"
        "if os.fork() == 0:\n"
        "  while True:\n"
        "    try:\n"
        "      fd = os.open('candidate.json', os.O_CREAT | os.O_WRONLY | os.O_TRUNC)\n"
        "      os.write(fd, b'{\"output\": 42}'); os.close(fd)\n"
        "    except OSError: pass\n"
        "output = 41"
    )
    checked = box.submit_check(Check(Job(candidate), CHECKER)).result()
    assert (checked.candidate.status, checked.candidate.output) == (Status.OK, "41")
    assert checked.checker.output == '{"right": false}'


def test_a_candidate_that_failed_is_not_checked(box):
    checked = box.submit_check(Check(Job("1 / 0"), CHECKER)).result()
    assert (checked.candidate.status, checked.checker) == (Status.RUNTIME_ERROR, None)


def test_a_job_may_have_less_cpu_time_than_the_sandbox_gives(box):
    result = run(box, Job("while True: pass", cpu_seconds=0.2))
    assert (result.status, result.error) == (Status.TIMEOUT, "over 0.2 s of CPU time")
    assert run(box, Job("output = 1", cpu_seconds=100)).output == "1"
