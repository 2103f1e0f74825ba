"""Customers: whom invoices go to, their number prefix and their balance."""

from __future__ import annotations

import secrets
import string
from typing import Any

from devstack.stripe.errors import invalid
from devstack.stripe.listing import newest
from devstack.stripe.shop import Shop, merged_metadata, new_id
from devstack.stripe.store import EMAIL, Json

PREFIX_LETTERS = string.ascii_uppercase + string.digits
PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "tax_exempt")
SETTABLE = frozenset({*PLAIN, "balance", "invoice_prefix", "metadata", "next_invoice_sequence"})


def create(shop: Shop, params: Json) -> Json:
    """Return a new customer. Its balance is in minor units: negative is credit that the next invoice uses up."""
    customer: dict[str, Any] = {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": shop.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": "".join(secrets.choice(PREFIX_LETTERS) for _ in range(8)),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _set(shop, customer, params)
    shop.store.add(customer)
    shop.emit("customer.created", customer)
    return customer


def update(shop: Shop, params: Json, customer: str) -> Json:
    """Return the customer with the given fields changed."""
    found = shop.need("customer", customer)
    _set(shop, found, params)
    shop.store.change(found)
    shop.emit("customer.updated", found)
    return found


def retrieve(shop: Shop, _params: Json, customer: str) -> Json:
    """Return a customer."""
    return shop.need("customer", customer)


def listed(shop: Shop, params: Json) -> Json:
    """Return a page of customers, newest first; of one e-mail address exactly as written, if asked."""
    return newest(shop.store, "customer", params, "/v1/customers", equal={EMAIL: params.get("email")})


def _set(shop: Shop, customer: Json, params: Json) -> None:
    prefix = params.get("invoice_prefix")
    if prefix is not None and not (3 <= len(prefix) <= 12 and set(prefix) <= set(PREFIX_LETTERS)):
        raise invalid("invoice_prefix has 3 to 12 uppercase letters or digits", "invoice_prefix")
    if prefix is not None:
        taken = [one["id"] for one in shop.store.all("customer") if one["invoice_prefix"] == prefix]
        if taken not in ([], [customer["id"]]):
            raise invalid("The invoice prefix is used by another customer", "invoice_prefix")
    customer.update({name: value or None for name, value in params.items() if name in PLAIN})
    customer.update(
        {name: params[name] for name in ("balance", "invoice_prefix", "next_invoice_sequence") if name in params}
    )
    customer["metadata"] = merged_metadata(customer["metadata"], params.get("metadata"))
