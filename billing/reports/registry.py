"""The eleven reports by the name the terminal takes, and what each reads."""

from collections.abc import Callable, Mapping

from billing.reports import controls, liabilities, receivables, revenue
from billing.reports.facts import Fact, Facts
from models.reports import Report

REPORTS: Mapping[str, Callable[[Facts], Report]] = {
    "close-status": controls.close_status,
    "ar-register": receivables.register,
    "revenue": revenue.by_product,
    "waterfall": liabilities.waterfall,
    "unbilled": receivables.unbilled,
    "burn-down": liabilities.burn_down,
    "flux": revenue.flux,
    "rpo": liabilities.remaining,
    "corrections": controls.corrections,
    "tie-out": controls.tie_out,
    "metrics": controls.metrics,
}

READS: Mapping[str, frozenset[Fact]] = {
    "close-status": frozenset({Fact.STANDINGS, Fact.FINDINGS}),
    "ar-register": frozenset({Fact.ENTRIES, Fact.INVOICES, Fact.STATEMENTS}),
    "revenue": frozenset({Fact.ENTRIES, Fact.STATEMENTS, Fact.LINES}),
    "waterfall": frozenset({Fact.ENTRIES, Fact.SCHEDULES}),
    "unbilled": frozenset({Fact.ENTRIES}),
    "burn-down": frozenset({Fact.ENTRIES, Fact.STATEMENTS, Fact.CONTRACTS, Fact.ESTIMATES}),
    "flux": frozenset({Fact.ENTRIES, Fact.STATEMENTS, Fact.LINES}),
    "rpo": frozenset({Fact.ENTRIES, Fact.STATEMENTS, Fact.CONTRACTS}),
    "corrections": frozenset({Fact.ENTRIES}),
    "tie-out": frozenset({Fact.ENTRIES, Fact.STATEMENTS, Fact.SCHEDULES, Fact.INVOICES}),
    "metrics": frozenset({Fact.ENTRIES, Fact.STATEMENTS, Fact.INVOICES, Fact.STANDINGS, Fact.FINDINGS, Fact.BY_HAND}),
}
"""A report is made of these and of nothing else, so it is made again only after one of them was written."""
