"""The eleven reports by the name the terminal takes."""

from collections.abc import Callable, Mapping

from billing.reports import controls, liabilities, receivables, revenue
from billing.reports.facts import Facts
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
