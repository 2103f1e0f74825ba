"""Receivables: what each issued invoice is still owed, how late it is, and how long customers take to pay."""

from models.money import Currency
from models.usage import Identifier
from models.value import Day, Exact, Value


class OpenInvoice(Value):
    """An issued invoice with its balance on 1100."""

    reference: Identifier
    customer: Identifier
    currency: Currency
    total: Exact
    balance: Exact
    due_on: Day
    days_past_due: int  # 0 while it is not due
    bucket: str  # current | 1-30 | 31-60 | 61-90 | over 90


class DaysOutstanding(Value):
    """Days sales outstanding of a currency: receivable / billed x days."""

    currency: Currency
    receivable: Exact
    billed: Exact
    days: int
    dso: Exact | None  # None where nothing was billed
