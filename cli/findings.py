"""tieout close exceptions, resolve, assign, reverse: what holds customers, and what people answer."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from cli.door import Door, wait_for
from cli.output import As, AsJson, Exit, Month, Reason, leave, money, print_json, print_table, say
from models.approval import Verdict
from models.close import State
from models.period import next_month
from models.reconciliation import Answer, Cause
from models.reports import OpenFinding
from runtime.desk import token_of
from runtime.finding_desk import Fanned, FindingDesk

Revision = Annotated[int, typer.Option(help="The close's revision; above 1 once reopened.")]
Id = Annotated[str, typer.Argument(metavar="FINDING", help="The finding's id, as `exceptions` prints it.")]
COLUMNS = (
    "customer", "severity", "cause", "source", "against", "meter", "at risk", "owner", "age", "evidence",
    "suggestion", "answered", "finding",
)  # fmt: skip


def exceptions(
    month: Month,
    revision: Revision = 1,
    everything: Annotated[bool, typer.Option("--all", help="Also what is only recorded or answered.")] = False,
    at: Annotated[
        datetime | None, typer.Option(help="The instant ages are told at, in UTC; now when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what needs a person: findings with severity, money at risk, owner and age; parked steps. Exit code 3 if any.

    The money is what the other source would have billed more (or less) at the customer's own rates, before tax.
    """
    door = Door()
    now = at.astimezone() if at else door.clock.now()
    findings = door.books.exceptions(month, revision, answered_too=everything)
    parked = [
        one for one in door.books.standings(month, revision) if one.state in (State.NEEDS_ATTENTION, State.REJECTED)
    ]
    deferred = deferred_into(door.books, month)
    if as_json:
        shown = [{**one.model_dump(mode="json"), "age_seconds": int(one.age(now).total_seconds())} for one in findings]
        print_json({"findings": shown, "parked": parked, "deferred": deferred})
    elif not findings and not parked and not deferred:
        say("Nothing needs you.")
    if not as_json and findings:
        print_table(_title(findings), COLUMNS, [_row(one, now) for one in findings], right=("at risk", "age"))
    if not as_json and parked:
        print_table(
            f"{len(parked)} parked",
            ("customer", "stage", "state", "why"),
            [(one.customer, one.stage.value, one.state.value, one.detail) for one in parked],
        )
    if not as_json and deferred:
        print_table(
            f"{len(deferred)} deferred from the month before: settle each by a correction, settled with this month",
            COLUMNS,
            [_row(one, now) for one in deferred],
            right=("at risk", "age"),
        )
    if parked or any(one.holds for one in findings):
        leave(Exit.WAITING)


def deferred_into(books: Books, month: str) -> tuple[OpenFinding, ...]:
    """Return the findings of the month before whose difference was left to this one, by customer."""
    before = books.exceptions(next_month(month, -1), answered_too=True)
    return tuple(one for one in before if one.resolution and one.resolution.answer is Answer.DEFER)


def _title(findings: Sequence[OpenFinding]) -> str:
    sums: dict[str, Decimal] = {}
    held = [one for one in findings if one.holds]
    for one in held:
        if one.at_risk and one.at_risk.amount is not None and one.at_risk.currency:
            sums[one.at_risk.currency] = sums.get(one.at_risk.currency, Decimal(0)) + abs(one.at_risk.amount)
    at_risk = ", ".join(money(amount, currency) for currency, amount in sorted(sums.items()))
    return f"{len(held)} findings hold customers{f'; {at_risk} at risk' if at_risk else ''}"


def _row(one: OpenFinding, now: datetime) -> tuple[str, ...]:
    finding, exposure = one.finding, one.at_risk
    at_risk = ""
    if exposure is not None:
        amount, currency = exposure.amount, exposure.currency
        at_risk = money(amount, currency) if amount is not None and currency else f"unknown: {exposure.why}"
    answered = f"{one.resolution.answer.value} by {one.resolution.person}" if one.resolution else ""
    return (
        finding.customer,
        finding.severity.value,
        finding.cause.value,
        finding.source,
        finding.against,
        finding.meter,
        at_risk,
        one.owner or "",
        age_text(one.age(now)),
        finding.evidence,
        finding.suggestion,
        answered,
        finding.id,
    )


def age_text(age: timedelta) -> str:
    """Return an age in words: whole days, or hours inside the first day.

    >>> age_text(timedelta(days=3, hours=5)), age_text(timedelta(hours=5, minutes=59)), age_text(timedelta(minutes=5))
    ('3 d', '5 h', '0 h')
    """
    return f"{age.days} d" if age.days else f"{age.seconds // 3600} h"


def resolve(
    month: Month,
    reason: Reason,
    named: Annotated[str | None, typer.Argument(metavar="[FINDING]", help="One finding's id.")] = None,
    kind: Annotated[Cause | None, typer.Option(help="Answer findings of this cause by one decision.")] = None,
    finding: Annotated[list[str] | None, typer.Option(help="With --kind: a finding's id, once for each.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="With --kind: all that hold anybody now.")] = False,
    customer: Annotated[str | None, typer.Option(help="With --all: of this customer only.")] = None,
    source: Annotated[str | None, typer.Option(help="With --all: laid at this source only.")] = None,
    accept: Annotated[str | None, typer.Option(help="Take this source's quantity for the finding's span.")] = None,
    suggested: Annotated[bool, typer.Option(help="Take the source that each finding suggests.")] = False,
    correct_to: Annotated[str | None, typer.Option(help="Take this quantity; needs --evidence.")] = None,
    evidence: Annotated[
        str | None, typer.Option(help="Where the quantity stands: a file (kept by its checksum), or a reference.")
    ] = None,
    defer: Annotated[bool, typer.Option(help="Leave it as it stands, for the next period.")] = False,
    exclude: Annotated[bool, typer.Option(help="Leave the span out.")] = False,
    revision: Revision = 1,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Answer a finding, or many of one kind at once. Whoever answers prepares, and may not approve.

    Exit code 1 where a finding dropped out of a bulk: it was answered meanwhile, or its close does not wait for it.
    """
    payload = _payload(accept, suggested, correct_to, evidence, defer, exclude)
    if (named is None) == (kind is None) or (kind is None and (finding or everything or customer or source)):
        raise typer.BadParameter("name one FINDING, or --kind with --all or --finding")
    door = Door()
    token = token_of(door.config, person)
    if named is not None:
        one = named
        _answered(
            door, lambda desk: desk.resolve(token, month, revision, one, payload, reason), "resolve", one, as_json
        )
        return
    assert kind is not None, "one of the two is given"
    if everything == bool(finding):
        raise typer.BadParameter("with --kind, give --all or --finding")
    cause, chosen = kind, finding or _open(door, month, revision, kind, customer, source)

    async def work() -> Fanned:
        return await (await desk_of(door)).resolve_kind(token, month, revision, cause, chosen, payload, reason)

    _told(wait_for(work), cause, as_json)


def _open(door: Door, month: str, revision: int, kind: Cause, customer: str | None, source: str | None) -> list[str]:
    return [
        one.finding.id
        for one in door.books.exceptions(month, revision, customer)
        if one.finding.cause is kind and source in (None, one.finding.source)
    ]


def _payload(
    accept: str | None, suggested: bool, correct_to: str | None, evidence: str | None, defer: bool, exclude: bool
) -> dict[str, str]:
    given = (("accept", accept or suggested), ("correct", correct_to), ("defer", defer), ("exclude", exclude))
    answers = [name for name, said in given if said]
    if len(answers) != 1 or (accept and suggested):
        raise typer.BadParameter("answer with one of --accept, --suggested, --correct-to, --defer, --exclude")
    payload = {"answer": answers[0]}
    if accept:
        payload["source"] = accept
    if correct_to:
        if not evidence:
            raise typer.BadParameter("a quantity needs its evidence", param_hint="--evidence")
        payload |= {"quantity": correct_to, "evidence": evidence_text(evidence)}
    return payload


def evidence_text(given: str) -> str:
    """Return evidence as it is kept: a file's name and SHA-256, or the reference as given."""
    path = Path(given)
    return f"{path.name} sha256:{sha256(path.read_bytes()).hexdigest()}" if path.is_file() else given


def _told(fanned: Fanned, kind: Cause, as_json: bool) -> None:
    if as_json:
        print_json(vars(fanned))
    else:
        say(f"{len(fanned.taken)} {kind.value} findings answered by decision {fanned.decision}")
        if fanned.waiting:
            say(f"{len(fanned.waiting)} recorded; no worker answers, they are judged when one is back")
        for name, why in sorted(fanned.dropped.items()):
            say(f"  dropped out: {name}: {why}")
    if fanned.dropped:
        leave(Exit.CHECK_FAILED)


def assign(
    month: Month,
    finding: Id,
    owner: Annotated[str, typer.Option("--to", help="Whose finding it is: somebody who may answer it.")],
    reason: Reason,
    revision: Revision = 1,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Give a finding that holds a customer to an owner."""
    door = Door()
    token = token_of(door.config, person)
    _answered(
        door, lambda desk: desk.assign(token, month, revision, finding, owner, reason), "assign", finding, as_json
    )


def reverse(
    month: Month, finding: Id, reason: Reason, revision: Revision = 1, person: As = None, as_json: AsJson = False
) -> None:
    """Take a finding's resolution back until the invoice is issued: the month is reconciled again, and held by it."""
    door = Door()
    token = token_of(door.config, person)
    _answered(door, lambda desk: desk.reverse(token, month, revision, finding, reason), "reverse", finding, as_json)


async def desk_of(door: Door) -> FindingDesk:
    """Return the desk for findings."""
    return FindingDesk(await door.desk(), door.books, PostgresCloses(door.console))


def _answered(
    door: Door, act: Callable[[FindingDesk], Awaitable[Verdict | None]], verb: str, finding: str, as_json: bool
) -> None:
    async def work() -> Verdict | None:
        return await act(await desk_of(door))

    verdict: Any = wait_for(work)
    outcome = "taken" if verdict else "recorded; no worker answers, it is judged when one is back"
    print_json({"finding": finding, "kind": verb, "outcome": outcome}) if as_json else say(
        f"{finding}: {verb} {outcome}"
    )
