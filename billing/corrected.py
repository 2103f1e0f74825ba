"""Corrected: a correction worked out, and booked, from what is kept: one way for the deed and for an audit."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from billing import correcting, corrections
from billing.correcting import Booking
from models.correction import Correction, CorrectionRequest, CorrectionView, Settlement
from models.journal import JournalEntry
from models.money import total
from models.statement import Statement


def worked_out(
    request: CorrectionRequest,
    issued: Statement,
    corrected: Statement | None,
    earlier: Sequence[CorrectionView],
    revenue: Decimal,
    *,
    next_issued: bool,
    proposed_by: str,
    known_at: datetime,
) -> Correction:
    """Return what a request comes to: against the statement rated again, where there is one, else by hand.

    `earlier` are the invoice's corrections so far, `revenue` what was posted of the statement.

    Raises:
        A refusal of billing/corrections.py: nothing is proposed.
    """
    if corrected is not None:
        lines = corrections.rated_again(request, issued, corrected, earlier, next_issued=next_issued)
        past = total(one.correction.tax for one in earlier if one.counts)
        tax = (issued.tax + past, corrected.tax)
    else:
        by_hand = corrections.taken_back if request.settlement is Settlement.VOID else corrections.credited
        lines = by_hand(request, issued, earlier)
        tax = corrections.tax_of_credit(issued, lines, earlier)
    return corrections.correction_of(
        request,
        issued,
        lines,
        tax,
        earlier,
        revenue,
        proposed_by=proposed_by,
        known_at=known_at,
        corrected=corrected.fingerprint() if corrected else None,
    )


def entries(
    correction: Correction,
    issued: Statement,
    of_invoice: Iterable[CorrectionView],
    booked: Iterable[JournalEntry],
    where: Booking,
) -> tuple[JournalEntry, ...]:
    """Return a correction's entries; `of_invoice` are its invoice's corrections, `booked` its customer's so far.

    Raises:
        NoRule: nothing is posted.
    """
    before = [one.correction for one in of_invoice if one.counts and one.correction.id != correction.id]
    standing = (issued.subtotal + total(one.net for one in before), issued.tax + total(one.tax for one in before))
    originals = [one for one in booked if one.statement == correction.statement]
    return correcting.entries_of(correction, where, standing, originals)
