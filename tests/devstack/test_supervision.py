"""No child outlives the stack, and one that fails says why."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from devstack.children import Child, Command, bare_environment
from devstack.failure import ServiceFailed, StackAlreadyRunning
from devstack.services import Service, start_together
from devstack.state import State, running_environment
from devstack.up import Stack

ROOT = Path(__file__).resolve().parents[2]
WAITS = "import signal; print('waiting', flush=True); signal.pause()"
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('waiting', flush=True); signal.pause()"


def python(code: str, folder: Path, grace_seconds: int = 10) -> Command:
    return Command((sys.executable, "-c", code), folder, bare_environment(folder, {}), grace_seconds=grace_seconds)


def until(true: Callable[[], bool], within_seconds: float = 20) -> None:
    deadline = time.monotonic() + within_seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def waiting(child: Child) -> Child:
    child.wait_until(lambda: "waiting" in child.log.read_text(), 10)
    return child


def test_a_child_stops_when_asked_and_its_output_is_in_the_log(tmp_path: Path) -> None:
    child = waiting(Child("one", python(WAITS, tmp_path), tmp_path / "one.log"))
    assert child.running
    child.stop()
    assert not child.running
    assert gone(child.pid)
    child.stop()  # again changes nothing


def test_a_child_that_ignores_the_request_is_killed_after_its_grace(tmp_path: Path) -> None:
    child = waiting(Child("deaf", python(IGNORES, tmp_path, grace_seconds=1), tmp_path / "deaf.log"))
    child.stop()
    assert gone(child.pid)
    assert "killing it" in child.log.read_text()


def test_a_killed_child_takes_its_own_children_along(tmp_path: Path) -> None:
    code = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAITS!r}], start_new_session=True); {WAITS}"
    )
    child = waiting(Child("family", python(code, tmp_path), tmp_path / "family.log"))
    until(lambda: child.log.read_text().count("waiting") == 2)
    [grandchild] = psutil.Process(child.pid).children()
    child.kill()
    assert gone(child.pid)
    assert gone(grandchild.pid)


def test_a_child_that_fails_shows_the_tail_of_this_starts_log(tmp_path: Path) -> None:
    log = tmp_path / "failing.log"
    log.write_text("from an earlier run\n")
    failing = Child("failing", python("import sys; sys.exit('no disk left')", tmp_path), log)
    with pytest.raises(ServiceFailed, match="no disk left") as failed:
        failing.wait_until(lambda: False, 10)
    failing.stop()
    assert failed.value.service == "failing"
    assert failed.value.tail == "no disk left"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = Command((str(tmp_path / "absent"),), tmp_path, bare_environment(tmp_path, {}))
    with pytest.raises(ServiceFailed, match="could not execute"):
        Child("absent", command, tmp_path / "absent.log")


def test_not_ready_in_time_is_a_failure(tmp_path: Path) -> None:
    child = Child("slow", python(WAITS, tmp_path), tmp_path / "slow.log")
    with pytest.raises(ServiceFailed, match="not ready within 0 s"):
        child.wait_until(lambda: False, 0.1)
    child.stop()


def test_children_go_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent_code = (
        "import signal, sys; from pathlib import Path; from devstack.children import *\n"
        "folder = Path(sys.argv[1])\n"
        f"child = Child('orphan', Command((sys.executable, '-c', {WAITS!r}), folder), folder / 'orphan.log')\n"
        "print(child.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
    until(lambda: gone(pid))


class Broken(Service):
    name = "broken"

    def command(self) -> Command:
        return python("import sys; sys.exit('cannot bind')", self._state.root)

    def answers(self) -> bool:
        return False


class Fine(Broken):
    name = "fine"

    def command(self) -> Command:
        return python(WAITS, self._state.root)


def test_one_that_fails_brings_down_those_started_beside_it(tmp_path: Path) -> None:
    state = State(tmp_path)
    fine, broken = Fine(state), Broken(state)
    with pytest.raises(ServiceFailed):
        start_together((fine, broken))
    assert not fine.running
    with pytest.raises(ServiceFailed):
        fine.start()  # closed for good: the stack is going away


def test_a_state_folder_serves_one_stack_at_a_time(tmp_path: Path) -> None:
    first = State(tmp_path)
    first.hold()
    with pytest.raises(StackAlreadyRunning) as refused:
        State(tmp_path).hold()
    assert refused.value.owner_pid == os.getpid()
    first.release()
    second = State(tmp_path)
    second.hold()
    second.release()


def test_a_new_stack_waits_for_the_guards_of_a_killed_one(tmp_path: Path) -> None:
    dead = State(tmp_path)
    lock = dead.hold()
    child = Child("left", python(WAITS, tmp_path), tmp_path / "left.log", (lock,))
    os.pwrite(lock, b"0\n", 0)  # the owner is gone
    os.ftruncate(lock, 2)
    os.close(lock)
    threading.Timer(0.3, child.stop).start()
    began = time.monotonic()
    heir = State(tmp_path)
    heir.hold()
    assert 0.2 < time.monotonic() - began < 10
    heir.release()


@pytest.mark.stack
def test_a_component_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    with Stack(tmp_path, {"TIEOUT_DATABASE_URL": "postgresql://elsewhere"}) as stack:
        port = int(stack.temporal.address.rpartition(":")[2])
        stack.temporal.kill()
        with socket.create_server(("127.0.0.1", port)):  # a stranger took its port meanwhile
            with pytest.raises(ServiceFailed, match="address already in use") as failed:
                stack.temporal.start()
            assert failed.value.service == "temporal"
        stack.temporal.start()


def up(state_dir: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIEOUT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "devstack.up", state_dir],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def tree_of(pid: int) -> list[int]:
    return [process.pid for process in psutil.Process(pid).children(recursive=True)]


@pytest.mark.stack
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_stack_ends_nothing_of_it_stays(stack_folder: Path, number: signal.Signals) -> None:
    with up(stack_folder) as process:
        assert process.stdout is not None
        until(lambda: (process.stdout or sys.stdin).readline().startswith("up in"), 60)
        children = tree_of(process.pid)
        assert len(children) >= 10  # five components and their guards
        settings = running_environment(stack_folder)
        assert settings is not None
        assert settings["TIEOUT_ENVIRONMENT"] == "embedded"
        os.killpg(process.pid, number)  # as a terminal does
        assert process.wait(30) == (0 if number != signal.SIGKILL else -number)
    until(lambda: all(gone(pid) for pid in children), 30)
    assert running_environment(stack_folder) is None


@pytest.mark.stack
def test_interrupted_while_starting_it_leaves_nothing(stack_folder: Path) -> None:
    with up(stack_folder) as process:
        until(lambda: len(tree_of(process.pid)) >= 6, 30)
        children = tree_of(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    until(lambda: all(gone(pid) for pid in children), 30)
