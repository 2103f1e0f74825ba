"""The rate deed bills nothing from a pool whose issued months do not follow each other."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from temporalio.testing import ActivityEnvironment

from activities.messages import CustomerRef, RateUsage
from activities.rate import PoolsDoNotFollow, Rate
from billing import usage_table
from models.statement import Statement
from tests.adapters.postgres.rows import AT
from tests.billing.rating.builders import a_contract, through, used
from tests.billing.test_openings import YEARLY

CONTRACT = a_contract(commitments=[YEARLY])
ISSUED = through(CONTRACT, {f"2026-0{month}": [used("100", f"2026-0{month}-10T00:00:00Z")] for month in (1, 2)})


def rate(folder: Path, issued: list[Statement], kept: list[Statement]) -> None:
    """Run the deed for March on what was issued; statements it keeps are added to `kept`."""
    usage = folder / "usage.parquet"
    pq.write_table(usage_table.from_lines([used("100", "2026-03-10T00:00:00Z")]), usage)

    def keep(statement: Statement, revision: int, at: datetime) -> str:
        kept.append(statement)
        return statement.fingerprint()

    outside = SimpleNamespace(
        booked=SimpleNamespace(events=lambda _: ()),
        terms=SimpleNamespace(
            contracts=lambda customer: (CONTRACT,), rates=lambda known_at: (), opening=lambda contract: None
        ),
        evidence=SimpleNamespace(
            reconciliation=lambda fingerprint: SimpleNamespace(usage="usage"),
            issued_statements=lambda contract, before: tuple(issued),
            keep_statement=keep,
        ),
        corrections=SimpleNamespace(of_customer=lambda customer: ()),
        closes=SimpleNamespace(project=lambda *told, **more: None),
        store=SimpleNamespace(path=lambda artifact: usage),
        clock=SimpleNamespace(now=lambda: AT),
        engine="test",
    )
    task = RateUsage(close=CustomerRef(month="2026-03", revision=1, customer="acme"), reconciliation="r")
    ActivityEnvironment().run(Rate(cast(Any, outside)).rate_usage, task)


def test_a_month_goes_on_from_what_was_issued(tmp_path: Path) -> None:
    kept: list[Statement] = []
    rate(tmp_path, ISSUED, kept)
    assert [(one.opening, one.closing) for one in kept[0].pools] == [(Decimal(1190), Decimal(1185))]


def test_a_break_between_issued_months_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    (pool,) = ISSUED[1].pools
    other = pool.model_copy(update={"opening": Decimal(1000), "closing": Decimal(995)})
    broken = [ISSUED[0], ISSUED[1].model_copy(update={"pools": (other,)})]
    kept: list[Statement] = []
    with pytest.raises(PoolsDoNotFollow, match="pool:year:2026-02:opening: 1000 is not 1195"):
        rate(tmp_path, broken, kept)
    assert kept == []
