"""telling: what a statement that is new has its customer told: their own alerts, and pools that may soon be used up."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from activities.deeds import Outside
from billing import alerting, notices
from billing.pool_views import Running, views_of
from billing.pools import ledger_of
from models.notice import Notice
from models.statement import Statement
from models.visitor import Alert


def told_of(
    outside: Outside,
    statement: Statement,
    issued: Sequence[Statement],
    alerts: Sequence[Alert],
    at: datetime,
    running: Running | None = None,
) -> Iterator[Notice]:
    """Yield the notices of a statement: `issued` are the contract's before it, `running` says that it is a draft."""
    versions = [one for one in outside.terms.contracts(statement.customer) if one.contract == statement.contract]
    opening = outside.terms.opening(statement.contract)
    pools = views_of(ledger_of([*issued, statement], opening, versions))
    yield from alerting.alert_notices(alerts, statement, pools, at, running)
    yield from notices.depletion_notices(statement, pools, at, running)
