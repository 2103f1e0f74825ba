"""Reading: what a server says its table holds, hour by hour, held against what arrived here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa

from models.columns import QUANTITY
from models.refusal import Refusal

Hour = tuple[int, Decimal, int]
"""Of one UTC hour: rows, their quantity, and the sum (modulo 2^64) of a hash of each row's id, meter and quantity."""

WRAP = 2**64
QUANTITIES = f"DECIMAL({QUANTITY.precision}, {QUANTITY.scale})"

MARK = "mark"
"""The column in which a server may say its hash of each row."""

_MARKED = f"md5_number_upper(id || '|' || meter || '|' || quantity::{QUANTITIES}::VARCHAR)"
_BY_HOUR = (
    "SELECT epoch(date_trunc('hour', starts_at))::BIGINT, count(*), sum(quantity), sum({mark}) FROM batch GROUP BY 1"
)


class SourceChangedWhileRead(Refusal):
    """What was read is not what the source says it holds: rows were lost, or it was written meanwhile."""

    remedy = "Nothing was sealed; the pass is made again. If it keeps differing, something still writes in the period."


class Tally:
    """What arrived, hour by hour."""

    def __init__(self) -> None:
        self._hours: dict[datetime, Hour] = defaultdict(lambda: (0, Decimal(0), 0))
        self._db = duckdb.connect(config={"threads": 1})
        self._db.execute("SET TimeZone = 'UTC'")

    def add(self, batch: pa.RecordBatch, marks: pa.Array | None = None) -> None:
        """Count a batch of usage columns; `marks`: the server's hash of each row, which arrived with it."""
        counted = pa.Table.from_batches([batch.select(["id", "meter", "quantity", "starts_at"])])
        if marks is not None:
            counted = counted.append_column(MARK, marks)
        self._db.register("batch", counted)
        by_hour = _BY_HOUR.format(mark=_MARKED if marks is None else MARK)
        for seconds, rows, quantity, digest in self._db.execute(by_hour).fetchall():
            hour = datetime.fromtimestamp(seconds, UTC)
            before = self._hours[hour]
            self._hours[hour] = (before[0] + rows, before[1] + (quantity or 0), (before[2] + (digest or 0)) % WRAP)

    def compare(self, said: Mapping[datetime, Hour], source: str) -> None:
        """Raise SourceChangedWhileRead, naming the first hour, unless everything that was said is what arrived."""
        refuse_difference(said, self._hours, source, "what arrived is not what the source says it holds")


def hours_of(rows: Iterable[tuple[datetime, int, Decimal, int | Decimal]]) -> dict[datetime, Hour]:
    """Return the hours that a server answered with: start, rows, quantity, digest (of any sign, any width)."""
    return {
        (start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC): (
            int(count),
            Decimal(quantity),
            int(digest) % WRAP,
        )
        for start, count, quantity, digest in rows
    }


def refuse_difference(one: Mapping[datetime, Hour], two: Mapping[datetime, Hour], source: str, what: str) -> None:
    """Raise SourceChangedWhileRead with the first hour in which two tallies differ."""
    for hour in sorted(one.keys() | two.keys()):
        said, found = one.get(hour), two.get(hour)
        if said != found:
            raise SourceChangedWhileRead(
                what,
                source=source,
                hour=hour.isoformat(),
                said=_words(said),
                found=_words(found),
            )


def _words(hour: Hour | None) -> str:
    return f"{hour[0]} rows, {hour[1].normalize():f}, digest {hour[2]:x}" if hour else "nothing"
