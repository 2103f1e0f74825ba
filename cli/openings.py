"""tieout contract open: take over a running contract; one person proposes its opening position, another approves."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError

from activities.messages import OpenedRef, TakeOver
from adapters.files import read_opening
from adapters.postgres.terms import PostgresTerms
from cli.contract import opening_of
from cli.door import Door, wait_for
from cli.output import As, AsJson, Exit, Reason, leave, money, print_json, say
from models.approval import Decision
from models.refusal import Refusal
from runtime.desk import DecisionNotTaken, token_of
from workflows import options
from workflows.open_contract import OpenContract


class ContractUnknown(Refusal):
    """The books have no contract of this name for this customer."""

    remedy = "Add the contract first; its opening position is checked against what it promises."


def open_contract(
    file: Annotated[Path, typer.Argument(help="The opening position (YAML, tieout/opening/v1).")],
    reason: Reason = "",
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Take over a running contract from its opening position. Exit code 3 until a second person opens the same file.

    Whoever opens it first proposes it. The same content opened by another person (approver or controller) approves
    it: then it is kept, posted, and stands before the contract's first statement.
    """
    door = Door()
    named = read_opening(file)
    every = PostgresTerms(door.console).contracts(named.customer)
    contracts = [one for one in every if one.contract == named.contract]
    if not contracts:
        raise ContractUnknown("no such contract is known", contract=named.contract, customer=named.customer)
    opening = opening_of(file, contracts)
    token = token_of(door.config, person)

    async def work() -> tuple[Decision, Decision | None, OpenedRef | None]:
        desk = await door.desk()
        proposal, approval = desk.open_contract(opening, token, reason)
        if approval is None:
            return proposal, None, None
        client = await door.client()
        try:
            opened = await client.execute_workflow(
                OpenContract.run,
                TakeOver(contract=opening.contract, proposal=proposal.id, approval=approval.id),
                id=f"opening/{opening.contract}",
                task_queue=options.CLOSE_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=f"take over {opening.contract}",
            )
        except WorkflowFailureError as failed:
            raise _refusal(failed) from failed
        return proposal, approval, opened

    proposal, approval, opened = wait_for(work)
    if as_json:
        print_json(
            {
                "contract": opening.contract,
                "fingerprint": opening.fingerprint(),
                "proposed_by": proposal.person.id,
                "approved_by": approval.person.id if approval else None,
                "opened": opened,
            }
        )
    elif opened is None:
        say(f"{opening.contract} as of {opening.as_of}: proposed by {proposal.person.id}, {opening.fingerprint()[:12]}")
        say(f"Another person approves it: tieout contract open {file}")
    else:
        approver = approval.person.id if approval else ""
        say(f"{opening.contract} as of {opening.as_of}: proposed by {proposal.person.id}, approved by {approver}")
        debits = money(Decimal(opened.debits), opening.currency)
        say(f"posted {opened.entry}: {debits}" if opened.entry else "posted nothing: all balances are zero")
    if opened is None:
        leave(Exit.WAITING)


def _refusal(failed: WorkflowFailureError) -> Refusal:
    cause = failed.cause.cause if isinstance(failed.cause, ActivityError) else failed.cause
    if isinstance(cause, ApplicationError):
        return DecisionNotTaken(cause.message, code=cause.type)
    return DecisionNotTaken(str(cause or failed))
