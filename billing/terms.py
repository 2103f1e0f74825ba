"""Terms: which versions of which contract are in force for a customer's month."""

from collections.abc import Sequence

from models.contract import Contract
from models.period import Period, first_day, month_period, next_month
from models.refusal import Refusal


class NoContract(Refusal):
    """A customer has usage or is to be closed, and no contract is in force."""

    remedy = "Add a contract, add the account to a customer's aliases, or skip the customer with a reason."


class SeveralContracts(Refusal):
    """Two contracts of one customer are in force in one month."""

    remedy = "End one before the other begins; one billing account has one contract at a time."


def in_force(contracts: Sequence[Contract], customer: str, month: str) -> tuple[Contract, ...]:
    """Return all versions of the one contract in force in a month, oldest first.

    Raises:
        NoContract, SeveralContracts: a person decides.
    """
    first, end = first_day(month), first_day(next_month(month))
    names = sorted({one.contract for one in contracts if one.term.starts_on < end and one.term.ends_on > first})
    if not names:
        raise NoContract("no contract is in force", customer=customer, month=month)
    if len(names) > 1:
        raise SeveralContracts("several contracts are in force", customer=customer, month=month, contracts=names)
    return tuple(one for one in contracts if one.contract == names[0])


def is_in_force(contracts: Sequence[Contract], month: str) -> bool:
    """Return whether any contract is in force on a day of a month."""
    first, end = first_day(month), first_day(next_month(month))
    return any(one.term.starts_on < end and one.term.ends_on > first for one in contracts)


def month_of_customer(contracts: Sequence[Contract], month: str) -> Period:
    """Return the month in the contract's own zone."""
    return month_period(month, contracts[-1].timezone)
