"""Audit: everything anybody decided, what the workflow said, filtered by period, person and kind."""

from fastapi import APIRouter, Depends, Request, Response

from models.close import DecisionKind
from web.console.reading import Name, OneMonth, console_of
from web.face import face_of
from web.sessions import SignedIn, visitor
from web.tables import download

router = APIRouter()
COLUMNS = ("at", "person", "kind", "period", "revision", "customer", "subject", "reason", "taken", "code", "decision")


@router.get("/audit")
def audit(request: Request, person: SignedIn, period: OneMonth = None, by: Name = None, kind: Name = None) -> Response:
    """Show decisions, newest first."""
    books = console_of(request).books
    return face_of(request).page(
        request,
        "console/audit.html",
        visitor=person,
        decisions=books.decisions(period, by or None, kind or None),
        people=books.people(),
        kinds=[one.value for one in DecisionKind],
        filters={"period": period, "by": by, "kind": kind},
    )


@router.get("/audit.csv", dependencies=[Depends(visitor)])
def audit_csv(request: Request, period: OneMonth = None, by: Name = None, kind: Name = None) -> Response:
    """Return the decisions as they are shown."""
    rows = [
        (
            one.recorded_at.isoformat(), one.person.id, one.kind.value, one.period, one.revision, one.customer,
            one.subject, one.reason, verdict.taken if verdict else None, verdict.code.value if verdict else None,
            one.id,
        )
        for one, verdict in console_of(request).books.decisions(period, by or None, kind or None)
    ]  # fmt: skip
    return download("decisions", COLUMNS, rows)
