"""Control groups, against folders that look like the kernel's."""

from __future__ import annotations

import pytest

from transforms.sandbox.cgroups import CgroupUnavailable, SlotGroup, find_parent


def machine(tmp_path, controllers: str, handed_on: str, group: str = "/job"):
    top = tmp_path / "cgroup"
    folder = top / group.lstrip("/")
    folder.mkdir(parents=True)
    (folder / "cgroup.controllers").write_text(controllers)
    (folder / "cgroup.subtree_control").write_text(handed_on)
    (tmp_path / "mounts").write_text(f"proc /proc proc rw 0 0\ncgroup2 {top} cgroup2 rw 0 0\n")
    (tmp_path / "self").write_text(f"1:name=systemd:/\n0::{group}\n")
    return folder, (tmp_path / "self", tmp_path / "mounts")


def test_the_own_group_is_used_where_it_hands_controllers_on(tmp_path):
    folder, files = machine(tmp_path, "cpu memory pids", "memory pids")
    assert find_parent(*files) == folder


def test_a_missing_controller_is_named(tmp_path):
    _, files = machine(tmp_path, "memory", "")
    with pytest.raises(CgroupUnavailable, match="no pids controller"):
        find_parent(*files)


def test_a_machine_without_version_2_says_so(tmp_path):
    (tmp_path / "mounts").write_text("cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n")
    (tmp_path / "self").write_text("4:memory:/\n")
    with pytest.raises(CgroupUnavailable, match="not mounted"):
        find_parent(tmp_path / "self", tmp_path / "mounts")


def test_a_slot_gets_its_limits_and_its_process(tmp_path):
    SlotGroup(tmp_path, "slot", pid=42, memory_bytes=1 << 20, processes=9)
    written = {path.name: path.read_text() for path in (tmp_path / "slot").iterdir()}
    assert written == {
        "memory.max": str(1 << 20),
        "memory.swap.max": "0",
        "pids.max": "9",
        "cgroup.procs": "42",
    }


def test_running_out_of_memory_is_seen_once(tmp_path):
    group = SlotGroup(tmp_path, "slot", pid=42, memory_bytes=1 << 20, processes=9)
    assert not group.ran_out()
    (tmp_path / "slot" / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert group.ran_out()
    assert not group.ran_out()
