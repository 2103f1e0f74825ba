"""tieout period: how an accounting period stands, its tie-outs and signatures, its lock, and opening it again."""

from datetime import timedelta
from typing import Annotated

import typer

from activities.messages import MonthLocked, PeriodReopened, TiedOut
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.controls import PostgresControls
from adapters.postgres.journals import PostgresJournal
from billing import controls
from cli.door import Door, wait_for
from cli.output import As, AsJson, Exit, Month, Reason, leave, print_json, print_table, say
from models.approval import Decision
from models.close import EVERYONE, DecisionKind
from models.control import PeriodState, PeriodStatus, TieOut, TieOutName
from models.refusal import Refusal
from models.value import decimal_text, instant_text
from runtime import close_desk
from runtime.desk import refuse_role, token_of

app = typer.Typer(no_args_is_help=True, help="Accounting periods: tie out, sign, lock, reopen.")

Revision = Annotated[int, typer.Option(help="The close's revision.")]


class NotTiedOut(Refusal):
    """There is no tie-out of this name and these numbers to sign."""

    remedy = "Compute it: tieout period tie-out MONTH. Then sign the fingerprint that is printed."


@app.command()
def status(month: Month, revision: Revision = 1, as_json: AsJson = False) -> None:
    """Show how a period stands, derived from its customers, tie-outs, signatures and lock. Exit code 3 until locked."""
    found = _status(Door(), month, revision)
    if as_json:
        print_json(found)
    else:
        say(f"{month} is {found.state.value}: {found.ended} of {found.customers} customers ended")
        if found.reopening is not None:
            one = found.reopening
            say(
                f"reopened by {one.asked_by} and {one.approved_by} until {instant_text(one.expires_at)}: {one.reason}"
                f"{f', locked again {instant_text(one.ended_at)}' if one.ended_at else ''}"
            )
        _print_tie_outs([kept.tie_out for kept in found.tie_outs], found)
        for blocker in found.blockers:
            say(f"in the way: {blocker}")
    if found.state is not PeriodState.LOCKED:
        leave(Exit.WAITING)


@app.command("tie-out")
def tie_out(month: Month, as_json: AsJson = False) -> None:
    """Tie a period out anew: Stripe and receivable, usage and rated, grants and liability, sub-ledger and export.

    Exit code 1 where something does not tie.
    """
    door = Door()

    async def work() -> TiedOut:
        return await close_desk.tie_out(await door.client(), month)

    tied = wait_for(work)
    found = [kept.tie_out for kept in PostgresControls(door.console).newest(month).values()]
    if as_json:
        print_json(found)
    else:
        _print_tie_outs(found, None)
    if tied.untied:
        leave(Exit.CHECK_FAILED)


@app.command()
def sign(
    month: Month,
    name: Annotated[TieOutName, typer.Argument(help="Which tie-out.")],
    fingerprint: Annotated[str, typer.Option(help="Of the numbers you saw; at least 12 digits.")],
    reason: Reason = "",
    person: As = None,
    revision: Revision = 1,
    as_json: AsJson = False,
) -> None:
    """Sign a tie-out's numbers. The signature dies when they move; what does not tie takes two people and reasons."""
    door = Door()
    kept = PostgresControls(door.console).newest(month).get(name)
    whole = kept.tie_out.fingerprint() if kept else ""
    if len(fingerprint) < 12 or not whole.startswith(fingerprint):
        raise NotTiedOut("the numbers are others", tie_out=name.value, signed=fingerprint, now=whole[:12] or "none")
    decision = _write(door, DecisionKind.SIGN_TIE_OUT, person, month, revision, whole, reason, {"tie_out": name.value})
    if as_json:
        print_json({"tie_out": name, "person": decision.person.id, "fingerprint": whole})
    else:
        say(f"{name.value} of {month} signed by {decision.person.id}: {whole[:12]}")


@app.command()
def lock(month: Month, reason: Reason, person: As = None, revision: Revision = 1, as_json: AsJson = False) -> None:
    """Lock a period whose tie-outs are signed as they are now; who still waits is accrued. A reopened one too."""
    door = Door()
    decision = _write(door, DecisionKind.LOCK, person, month, revision, month, reason, {})

    async def work() -> MonthLocked:
        return await close_desk.lock(await door.client(), decision)

    locked = wait_for(work)
    if as_json:
        print_json(locked)
    else:
        say(f"{month} is locked; accrued: {', '.join(locked.accrued) or 'nobody'}")


@app.command()
def reopen(
    month: Month,
    reason: Reason = "",
    hours: Annotated[int, typer.Option(help="For how long; then it locks itself.", min=1, max=240)] = 24,
    person: As = None,
    revision: Revision = 1,
    as_json: AsJson = False,
) -> None:
    """Open a locked period again: one person asks with a reason, and a controller who is not the same does it too.

    Every signature on it is dropped, and it locks itself when its time is over. Exit code 3: it waits for the second.
    """
    door = Door()
    if not PostgresJournal(door.console).locked(month):
        raise close_desk.NotLocked("this period is not locked", month=month)
    signed = wait_for(door.desk).person(token_of(door.config, person))
    asked = close_desk.asked_to_reopen(PostgresCloses(door.console).decisions(month, revision, EVERYONE))
    if asked is None or asked.person.id == signed.id:
        if not reason.strip():
            raise typer.BadParameter("asking to reopen needs a reason", param_hint="--reason")
        until = close_desk.reopened_until(door.clock.now(), timedelta(hours=hours))
        row = {"expires_at": until}
        _write(door, DecisionKind.ASK_REOPEN, person, month, revision, month, reason, row)
        say(f"{month}: {signed.id} asks to open it until {until}; a controller does the same to approve it")
        leave(Exit.WAITING)
        return
    approved = _write(door, DecisionKind.REOPEN, person, month, revision, asked.id, reason, {})

    async def work() -> PeriodReopened:
        return await close_desk.reopen(await door.client(), asked, approved)

    reopened = wait_for(work)
    if as_json:
        print_json(reopened)
    else:
        say(f"{month} is open until {reopened.expires_at}; its signatures are dropped")


def _status(door: Door, month: str, revision: int) -> PeriodStatus:
    book = PostgresControls(door.console)
    return controls.status(
        month,
        door.books.standings(month, revision),
        book.newest(month),
        PostgresCloses(door.console).decisions(month, revision, EVERYONE),
        book.reopenings(month),
        locked=PostgresJournal(door.console).locked(month),
    )


def _write(
    door: Door,
    kind: DecisionKind,
    person: str | None,
    month: str,
    revision: int,
    subject: str,
    reason: str,
    payload: dict[str, str],
) -> Decision:
    token = token_of(door.config, person)
    desk = wait_for(door.desk)
    refuse_role(desk.person(token), kind)
    return desk.write(kind, token, month, revision, EVERYONE, subject, reason, payload)


def _print_tie_outs(found: list[TieOut], period: PeriodStatus | None) -> None:
    standing = {one.name: one.person for one in period.signatures if one.stands} if period else {}
    print_table(
        f"{len(found)} tie-outs",
        ("tie-out", "lines", "not tied", "first difference", "fingerprint", "signed by"),
        [
            (
                one.name.value,
                str(len(one.lines)),
                str(len(one.untied)),
                _first(one),
                one.fingerprint()[:12],
                standing.get(one.name, ""),
            )
            for one in found
        ],
        right=("lines", "not tied"),
    )


def _first(one: TieOut) -> str:
    if not one.untied:
        return ""
    line = one.untied[0]
    return f"{line.subject}: {decimal_text(line.left)} and {decimal_text(line.right)} {line.unit}"
