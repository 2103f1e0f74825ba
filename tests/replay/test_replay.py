"""The replay gate: what running closes have done must be what the plans of this build would do."""

import asyncio
import difflib
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from runtime import temporal
from tests.replay.changed import PostedBeforeRecognized
from tests.replay.record import CORRECTION_SCENES, HISTORIES, PAUSED, RATE_SCENES, SCENES, WAVES
from tests.replay.sequence import Sequence, all_plans, committed, sequence_of
from workers.registry import WORKFLOWS

FILES = sorted(HISTORIES.glob("**/*.json"))
ADVICE = """
What a plan asks of the server changed. Closes wait for people for weeks and will be replayed against this build.
 1. If a close that is running could have passed this place, keep the old way behind `workflow.patched("why-not-what")`.
 2. Run `make replay`; record the new way beside the old ones: python -m tests.replay.record tests/replay/histories/NAME
 3. When both are right: python -m tests.replay.sequence, and commit sequence.json with the change.
"""


def _history(path: Path) -> WorkflowHistory:
    history = json.loads(path.read_text())
    started = history["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], history)


def _type_of(path: Path) -> str:
    started = json.loads(path.read_text())["events"][0]["workflowExecutionStartedEventAttributes"]
    return str(started["workflowType"]["name"])


def _replay(path: Path, *plans: type) -> None:
    replayer = Replayer(workflows=plans, workflow_runner=temporal.sandbox(), data_converter=temporal.converter())
    asyncio.run(replayer.replay_workflow(_history(path)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_close_replays_on_this_build(path: Path) -> None:
    _replay(path, *WORKFLOWS)


def test_every_plan_and_every_way_a_close_can_go_is_recorded() -> None:
    assert {_type_of(path) for path in FILES} == {plan.__name__ for plan in WORKFLOWS}
    recorded = {path.stem for path in FILES}
    assert {f"customer-close-{name}" for name in SCENES} <= recorded
    assert {f"rate-change-{name}" for name in RATE_SCENES} <= recorded
    assert {f"correction-{name}" for name in CORRECTION_SCENES} <= recorded
    assert {*PAUSED, WAVES} <= recorded


def test_a_changed_order_of_deeds_is_caught() -> None:
    with pytest.raises(NondeterminismError, match=r"(?i)recognize|nondeterminism"):
        _replay(HISTORIES / "customer-close-done.json", PostedBeforeRecognized)


def test_what_each_plan_asks_of_the_server_is_what_was_committed() -> None:
    assert all_plans() == committed(), ADVICE + _difference(committed(), all_plans())


def test_the_guard_sees_a_deed_that_moved() -> None:
    before = (
        "@workflow.defn\nclass Plan:\n"
        "    async def run(self):\n        await workflow.sleep(1)\n        await workflow.execute_activity(seal)\n"
    )
    sleep, deed = "        await workflow.sleep(1)\n", "        await workflow.execute_activity(seal)\n"
    assert sequence_of(before) == {"Plan": {"run": ["sleep 1", "execute_activity seal"]}}
    assert sequence_of(before.replace(sleep + deed, deed + sleep)) == {
        "Plan": {"run": ["execute_activity seal", "sleep 1"]}
    }


def _difference(old: Sequence, new: Sequence) -> str:
    texts = [json.dumps(one, indent=1).splitlines() for one in (old, new)]
    return "\n".join(difflib.unified_diff(texts[0], texts[1], "committed", "this build", lineterm="", n=2))
