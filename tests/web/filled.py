"""Books with two months of a customer, worked by hand: what pages are held against.

September: 100.00 of calls and a fee of 50.00, of which the pool pays 60.00: 90.00.
October: 130.00 of calls and a fee of 50.00, of which the pool pays 40.00 (all it has left): 140.00.
Calls of October were used on the 1st (10 minutes), the 2nd (20) and the 31st (100): 10.00, 20.00 and 100.00.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import EndpointConnectionError

from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.terms import PostgresTerms
from billing.usage_table import from_lines
from models.invoice import IssuedInvoice
from models.period import month_period
from models.reconciliation import Reconciliation
from models.snapshot import Artifact, Snapshot, SourceCounts
from models.statement import Statement
from models.usage import UsageLine
from tests.adapters.postgres.rows import a_contract
from tests.postgres_fixture import Books
from tests.statement_builders import a_pool, a_statement, an_invoice, draw, fee, usage

AT = datetime(2026, 11, 2, 10, tzinfo=UTC)
WINDOW = ("2026-09-01", "2027-01-01")
SEALED = "b" * 64
PAPER = b"%PDF-1.7 stored"


@dataclass
class Shelf:
    """A store of one folder, until it is gone."""

    folder: Path
    gone: bool = False

    def path(self, artifact: Artifact) -> Path:
        """Return the file."""
        if self.gone:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        return self.folder / artifact.uri

    def get(self, uri: str) -> bytes:
        """Return a paper."""
        return PAPER


def fill(books: Books, shelf: Shelf, customer: str) -> tuple[Statement, Statement]:
    """Keep the two months of a customer, issued; return their statements."""
    worker = books.as_role("worker")
    terms, evidence, invoices = PostgresTerms(worker), PostgresEvidence(worker), PostgresInvoices(worker)
    commitment = {
        "id": "pool", "amount": "100.00", "every": "term", "billing": "advance", "scope": {"meters": ["call.*"]},
    }  # fmt: skip
    terms.add_contract(
        a_contract(customer, name=f"{customer} & Sons", commitments=[commitment], email=f"ap@{customer}.example"),
        "pia",
        "cora",
        AT,
    )
    september = a_statement(
        usage("calls", "100.00", month="2026-09"),
        fee("platform", "50.00", "2026-09-01", "2026-10-01"),
        draw("draw/pool", "pool", {"calls": "60.00"}, pool=True),
        month="2026-09",
        customer=customer,
        contract=f"{customer}-2026",
        pools=(a_pool("pool", "prepaid", granted="100", drawn="60", window=WINDOW),),
    )
    reconciled = reconciliation(shelf, customer)
    october = a_statement(
        usage("calls", "130.00"),
        fee("platform", "50.00", "2026-10-01", "2026-11-01"),
        draw("draw/pool", "pool", {"calls": "40.00"}, pool=True),
        customer=customer,
        contract=f"{customer}-2026",
        pools=(a_pool("pool", "prepaid", opening="40", drawn="40", window=WINDOW),),
    ).model_copy(update={"reconciliation": evidence.keep_reconciliation(reconciled, 1, AT)})
    for statement in (september, october):
        evidence.keep_statement(statement, 1, AT)
        invoice = an_invoice(statement)
        invoices.reserve(invoice, AT)
        invoices.issued(
            IssuedInvoice(
                reference=invoice.reference,
                stripe_id=f"in_{customer}_{statement.period}",
                number=f"{customer.upper()}-{statement.period}",
                status="open",
                currency="USD",
                total=invoice.total,
                lines=1,
                issued_at=AT,
                due_on=(AT + timedelta(days=30)).date(),
                pdf_sha256="a" * 64,
                pdf_uri=f"papers/{customer}.pdf",
            ),
            AT,
        )
    return september, october


def october_usage() -> tuple[UsageLine, ...]:
    """Return the calls of October by hour."""
    return tuple(
        UsageLine(
            meter="call.minutes",
            dimensions={},
            starts_at=datetime(2026, 10, day, 9, tzinfo=UTC),
            ends_at=datetime(2026, 10, day, 10, tzinfo=UTC),
            quantity=Decimal(minutes),
            events=minutes // 10,
            source="clickhouse",
        )
        for day, minutes in ((1, 10), (2, 20), (31, 100))
    )


def seal(books: Books, shelf: Shelf) -> None:
    """Keep the seal of October: the calls of both customers in one file, as a source gives them."""
    rows = [
        {
            "customer": customer,
            "id": f"{customer}-{day}-{minute}",
            "meter": "call.minutes",
            "quantity": Decimal(minutes),
            "starts_at": datetime(2026, 10, day, hour, minute, tzinfo=UTC),
            "ends_at": None,
            "dims": json.dumps({"assistant": f"desk of {customer}", "from": "+1 415 555 0134"}),
        }
        for customer in ("acme", "bolt")
        for day, hour, minute, minutes in ((1, 9, 5, 10), (31, 9, 5, 60), (31, 9, 40, 40), (31, 10, 30, 7))
    ]
    texts = {name: pa.string() for name in ("customer", "id", "meter", "dims")}
    instants = {name: pa.timestamp("us", "UTC") for name in ("starts_at", "ends_at")}
    types = [*texts.items(), *instants.items(), ("quantity", pa.decimal128(38, 12))]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(types)), shelf.folder / "sealed.parquet")
    nothing = {"uri": "none", "content_fingerprint": "e" * 64, "sha256": "e" * 64, "rows": 0, "bytes": 0}
    rows_kept = Artifact(uri="sealed.parquet", content_fingerprint=SEALED, sha256="d" * 64, rows=len(rows), bytes=1)
    snapshot = Snapshot(
        source="clickhouse",
        period="2026-10",
        window=month_period("2026-10", "UTC"),
        grain="event",
        watermark=AT,
        sealed_at=AT,
        counts=SourceCounts(read=len(rows), kept=len(rows), duplicates=0),
        rows=rows_kept,
        buckets=Artifact.model_validate(nothing),
        duplicates=Artifact.model_validate(nothing),
        customers=("acme", "bolt"),
    )
    PostgresEvidence(books.as_role("worker")).keep_snapshot(snapshot, 1)


def reconciliation(shelf: Shelf, customer: str) -> Reconciliation:
    """Return a reconciliation whose usage lies on the shelf."""
    name = f"{customer}.parquet"
    pq.write_table(from_lines(october_usage()), shelf.folder / name)
    return Reconciliation(
        customer=customer,
        period="2026-10",
        snapshots=(SEALED,),
        totals=(),
        findings=(),
        authority={"call.minutes": "clickhouse"},
        usage=Artifact(uri=name, content_fingerprint="c" * 64, sha256="d" * 64, rows=3, bytes=1),
    )
