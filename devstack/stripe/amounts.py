"""What a line costs, in whole minor units. Never a float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from devstack.stripe.errors import StripeError, invalid

LARGEST = 999_999_999_999  # minor units; Stripe takes twelve digits


@dataclass(frozen=True)
class Charge:
    """An amount in minor units with the quantity and unit price that made it. An amount given outright is one unit."""

    amount: int
    quantity: Decimal
    unit_amount: Decimal
    product: str | None = None


def charge_of(params: Mapping[str, Any]) -> Charge:
    """Return the charge of an invoice item or line.

    Either `amount`, or `unit_amount_decimal` (or `price_data` with a unit amount) times `quantity` or
    `quantity_decimal`, rounded half away from zero. An `amount` with a quantity beside it is refused: whether Stripe
    multiplies is not documented.

    Raises:
        StripeError: none or both ways are used, a quantity is negative, or the amount has over twelve digits.
    """
    price = params.get("price_data") or {}
    if "unit_amount" in price and "unit_amount_decimal" in price:
        raise invalid("You can only give one of unit_amount and unit_amount_decimal", "price_data[unit_amount]")
    units = [
        source[name]
        for source, name in ((params, "unit_amount_decimal"), (price, "unit_amount_decimal"), (price, "unit_amount"))
        if name in source
    ]
    quantity = _quantity(params)
    if "amount" in params:
        if units or quantity is not None:
            raise invalid(
                "You may only give one of these parameters: amount, or a unit amount with its quantity.", "amount"
            )
        return _bounded(Charge(params["amount"], Decimal(1), Decimal(params["amount"])))
    if len(units) != 1:
        raise invalid(
            "You must give exactly one of: amount, unit_amount_decimal, price_data with a unit amount.", "amount"
        )
    unit_amount = Decimal(units[0])
    quantity = Decimal(1) if quantity is None else quantity
    return _bounded(Charge(whole(unit_amount * quantity), quantity, unit_amount, _product(price)))


def whole(amount: Decimal) -> int:
    """Return an amount in whole minor units, rounded half away from zero."""
    with localcontext() as context:
        context.prec = 60
        return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def text_of(number: Decimal) -> str:
    """Return a decimal as Stripe writes it: plain digits, no trailing zeros."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _quantity(params: Mapping[str, Any]) -> Decimal | None:
    if "quantity" in params and "quantity_decimal" in params:
        raise invalid("You can only give one of quantity and quantity_decimal", "quantity_decimal")
    given = params.get("quantity_decimal", params.get("quantity"))
    if given is None:
        return None
    if given < 0:
        raise invalid("Invalid non-negative number", "quantity", "parameter_invalid_integer")
    return Decimal(given)


def _product(price: Mapping[str, Any]) -> str | None:
    if "product" in price:
        raise StripeError(
            400, f"No such product: '{price['product']}'", code="resource_missing", param="price_data[product]"
        )  # the double keeps no products; product_data names one inline
    name: str | None = price.get("product_data", {}).get("name")
    return name


def _bounded(charge: Charge) -> Charge:
    if abs(charge.amount) > LARGEST:
        raise invalid(f"Amount must be no more than {LARGEST} minor units", "amount", "amount_too_large")
    return charge
