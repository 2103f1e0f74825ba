"""FOCUS: a statement's usage and cost in the columns of the FinOps Open Cost and Usage Specification 1.0.

`MANDATORY` is what the specification's column pages (specification/columns/ of its repository FOCUS_Spec) call so; the
others are its conditional and recommended ones that we know, and ours, which begin with `x_`.

`BilledCost` sums to the statement's total; `EffectiveCost` to what the month's use cost, whoever paid it: a purchase
has none, and usage that a prepaid credit paid has its own.
"""

from collections.abc import Iterator
from decimal import Decimal

from billing.net_lines import NetLine, net_lines
from models.money import ZERO, total
from models.period import month_period
from models.statement import LineKind, Statement
from models.value import decimal_text, instant_text

MANDATORY = frozenset({
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart",
    "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
})  # fmt: skip
COLUMNS = (
    "BillingAccountId", "BillingAccountName", "BillingPeriodStart", "BillingPeriodEnd", "BillingCurrency",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodStart", "ChargePeriodEnd",
    "BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "InvoiceIssuerName", "ServiceCategory", "ServiceName", "SkuId",
    "x_Contract", "x_Line",
)  # fmt: skip
_BOUGHT = frozenset({LineKind.FEE, LineKind.COMMITMENT, LineKind.CREDIT_PURCHASE, LineKind.SHORTFALL, LineKind.MINIMUM})
_PREPAID = frozenset({LineKind.COMMITMENT, LineKind.CREDIT_PURCHASE})


def focus_rows(statement: Statement, issuer: str) -> Iterator[dict[str, str]]:
    """Yield a row a sold line, net of its discounts; `issuer` is who sends the invoice."""
    period = month_period(statement.period, statement.timezone)
    for one in net_lines(statement, frozenset()):
        line = one.line
        priced = line.kind is not LineKind.TAX  # a tax has no unit
        used = line.kind not in _BOUGHT and line.kind is not LineKind.TAX
        yield {
            "BillingAccountId": statement.customer,
            "BillingAccountName": statement.customer,
            "BillingPeriodStart": instant_text(period.starts_at),
            "BillingPeriodEnd": instant_text(period.ends_at),
            "BillingCurrency": statement.currency,
            "ChargeCategory": "Tax" if line.kind is LineKind.TAX else "Usage" if used else "Purchase",
            "ChargeClass": "Correction" if line.service.ends_at <= period.starts_at else "",
            "ChargeDescription": line.description,
            "ChargeFrequency": "Usage-Based" if used else "Recurring",
            "ChargePeriodStart": instant_text(line.service.starts_at),
            "ChargePeriodEnd": instant_text(line.service.ends_at),
            "BilledCost": decimal_text(one.billed),
            "EffectiveCost": decimal_text(_effective(one)),
            "ListCost": decimal_text(line.amount),
            "ContractedCost": decimal_text(one.net),
            "ConsumedQuantity": decimal_text(line.quantity) if used else "",
            "ConsumedUnit": (line.unit or line.meter or "") if used else "",
            "PricingQuantity": decimal_text(line.billed_quantity) if priced else "",
            "PricingUnit": (line.unit or line.meter or "") if priced else "",
            "ProviderName": line.dimensions.get("provider", issuer),
            "PublisherName": issuer,
            "InvoiceIssuerName": issuer,
            "ServiceCategory": "AI and Machine Learning",
            "ServiceName": line.meter or line.clause,
            "SkuId": line.clause,
            "x_Contract": statement.contract,
            "x_Line": line.id,
        }


def _effective(one: NetLine) -> Decimal:
    return ZERO if one.line.kind in _PREPAID else one.billed + total(one.paid.values())
