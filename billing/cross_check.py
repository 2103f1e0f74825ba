"""Cross-check: a source's sealed totals against what the source itself counts."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import duckdb

from models.refusal import Refusal
from models.snapshot import Total
from models.usage_policy import SourcePolicy

FLOAT_DRIFT = Decimal("1e-9")
"""What a sum of floats may drift, as a ratio: the other side sums JSON numbers in double precision."""


class CrossCheckDiffers(Refusal):
    """The source counts its own events otherwise than they were read."""

    remedy = "Nothing was sealed. Have the missing interval exported again; the close asks again by itself."


def totals_of(rows: Path) -> dict[str, Total]:
    """Return the events and quantity of sealed rows by meter, in the meters' units."""
    with duckdb.connect(config={"threads": 1}) as db:
        found = db.execute(
            "SELECT meter, count(*), sum(quantity) FROM read_parquet(?) GROUP BY meter", [str(rows)]
        ).fetchall()
    return {meter: Total(events=events, quantity=quantity) for meter, events, quantity in found}


def refuse_difference(
    sealed: Mapping[str, Total], counted: Mapping[str, Total], policy: SourcePolicy, seen_before: int = 0
) -> None:
    """Raise CrossCheckDiffers, naming the first meter, unless the source counts what was sealed.

    Events must be equal, quantities up to the drift of floats, after the policy's unit conversion. Ids that an
    earlier month billed are in the source's count and were not sealed again: so many events may be missing, and
    where there are any, quantities are not compared.
    """
    missing = 0
    for meter in sorted(sealed.keys() | counted.keys()):
        ours, theirs = sealed.get(meter, NOTHING), counted.get(meter, NOTHING)
        unit = policy.units.get(meter)
        quantity = theirs.quantity / unit.divide if unit else theirs.quantity
        missing += theirs.events - ours.events
        events_differ = ours.events != theirs.events if not seen_before else not 0 <= missing <= seen_before
        drift = abs(quantity - ours.quantity) > FLOAT_DRIFT * max(abs(quantity), Decimal(1))
        if events_differ or (drift and not seen_before):
            raise CrossCheckDiffers(
                "the source counts otherwise than was read",
                meter=meter,
                read=f"{ours.events} events, {ours.quantity.normalize():f}",
                counted=f"{theirs.events} events, {quantity.normalize():f}",
            )


NOTHING = Total(events=0, quantity=Decimal(0))
