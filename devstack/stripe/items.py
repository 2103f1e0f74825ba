"""Invoice items and the lines they become on an invoice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devstack.stripe.amounts import charge_of, text_of
from devstack.stripe.errors import StripeError, invalid, missing, not_editable
from devstack.stripe.listing import newest, page_of
from devstack.stripe.shop import Shop, checked_currency, merged_metadata, new_id
from devstack.stripe.store import Json

KIND = "invoiceitem"
MOST_ITEMS = 250
CHARGE = frozenset({"amount", "quantity", "quantity_decimal", "unit_amount_decimal", "price_data"})
LINE_OF_ITEM = "_line"  # the id of the line an item is on its invoice; not shown


def create(shop: Shop, params: Json) -> Json:
    """Return a new invoice item, on the draft `invoice`, or pending for the customer when none is named."""
    if "customer" not in params:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    customer = shop.need("customer", params["customer"], "customer", 400)
    invoice = draft(shop, params["invoice"], "invoice", 400) if "invoice" in params else None
    if invoice is not None and invoice["customer"] != customer["id"]:
        raise invalid("The invoice belongs to another customer", "invoice")
    if "currency" not in params and "price_data" not in params and invoice is None:
        raise invalid("Missing required param: currency.", "currency", "parameter_missing")
    item = new_item(shop, customer["id"], params, invoice)
    shop.emit("invoiceitem.created", shown(item))
    return shown(item)


def new_item(shop: Shop, customer: str, params: Mapping[str, Any], invoice: Json | None) -> Json:
    """Keep a new item, on an invoice when one is given, and return it.

    Raises:
        StripeError: another currency than the invoice's, a 251st item, a period that ends before it starts.
    """
    charge = charge_of(params)
    currency = (params.get("price_data") or {}).get("currency") or params.get("currency")
    currency = checked_currency(currency or (invoice or {}).get("currency") or "")
    if invoice is not None and currency != invoice["currency"]:
        raise invalid(f"The currency {currency} differs from the invoice's, {invoice['currency']}", "currency")
    now = shop.now()
    period = dict(params.get("period") or {"start": now, "end": now})
    if period["end"] < period["start"]:
        raise invalid("The period's end must be at or after its start", "period[end]")
    item = {
        "id": new_id("ii"),
        "object": KIND,
        "amount": charge.amount,
        "created": now,
        "currency": currency,
        "customer": customer,
        "date": now,
        "description": params.get("description") or charge.product,
        "discountable": params.get("discountable", charge.amount >= 0),
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": merged_metadata({}, params.get("metadata")),
        "net_amount": charge.amount,
        "parent": None,
        "period": period,
        "pricing": {"price_details": None, "type": "price_details", "unit_amount_decimal": text_of(charge.unit_amount)},
        "proration": False,
        "quantity": int(charge.quantity),
        "quantity_decimal": text_of(charge.quantity),
        "tax_rates": [],
        "test_clock": None,
        LINE_OF_ITEM: new_id("il"),
    }
    shop.store.add(item)
    if invoice is not None:
        attach(shop, item, invoice)
    return item


def attach(shop: Shop, item: Json, invoice: Json) -> None:
    """Put an item at the end of a draft.

    Raises:
        StripeError: the invoice has its 250 items.
    """
    row = shop.store.sql.execute(
        "SELECT count(*) AS items, max(position) AS last FROM objects WHERE parent = ? AND kind = ?",
        (invoice["id"], KIND),
    ).fetchone()
    if row["items"] >= MOST_ITEMS:
        raise StripeError(400, f"You can have at most {MOST_ITEMS} invoice items on an invoice.", param="invoice")
    item["invoice"] = invoice["id"]
    shop.store.change(item)
    shop.store.place(item["id"], invoice["id"], (row["last"] or 0) + 1)


def pending(shop: Shop, customer: str, currency: str) -> list[Json]:
    """Return a customer's items in a currency that are on no invoice, newest first, as Stripe puts them on one."""
    return [
        item
        for item in reversed(shop.store.all(KIND))
        if item["customer"] == customer and item["currency"] == currency and item["invoice"] is None
    ]


def update(shop: Shop, params: Json, invoiceitem: str) -> Json:
    """Return the item with the given fields changed, while its invoice is a draft."""
    item = shop.need(KIND, invoiceitem)
    if item["invoice"] is not None:
        draft(shop, item["invoice"])
    change(shop, item, params)
    return shown(item)


def change(shop: Shop, item: Json, params: Mapping[str, Any]) -> None:
    """Change an item in place. A new price needs the quantity again when it was not one."""
    if CHARGE & params.keys():
        charge = charge_of(params)
        item |= {"amount": charge.amount, "net_amount": charge.amount, "quantity": int(charge.quantity)}
        item["quantity_decimal"] = text_of(charge.quantity)
        item["pricing"]["unit_amount_decimal"] = text_of(charge.unit_amount)
    for name in ("description", "discountable", "period"):
        if name in params:
            item[name] = params[name]
    item["metadata"] = merged_metadata(item["metadata"], params.get("metadata"))
    shop.store.change(item)


def delete(shop: Shop, _params: Json, invoiceitem: str) -> Json:
    """Remove an item that is pending or on a draft."""
    item = shop.need(KIND, invoiceitem)
    if item["invoice"] is not None:
        draft(shop, item["invoice"])
    shop.store.remove(invoiceitem)
    shop.emit("invoiceitem.deleted", shown(item))
    return {"id": invoiceitem, "object": KIND, "deleted": True}


def retrieve(shop: Shop, _params: Json, invoiceitem: str) -> Json:
    """Return an invoice item."""
    return shown(shop.need(KIND, invoiceitem))


def listed(shop: Shop, params: Json) -> Json:
    """Return a page of invoice items, newest first; of one customer, or of one invoice, if asked."""
    if params.get("pending"):
        things = [shown(one) for one in reversed(shop.store.all(KIND)) if one["invoice"] is None]
        wanted = params.get("customer")
        return page_of([one for one in things if wanted in (None, one["customer"])], params, "/v1/invoiceitems", KIND)
    equal = {"customer": params.get("customer"), "parent": params.get("invoice")}
    return newest(shop.store, KIND, params, "/v1/invoiceitems", shown, equal)


def draft(shop: Shop, invoice: str, param: str = "id", status: int = 404) -> Json:
    """Return an invoice that can still be changed.

    Raises:
        StripeError: it is not there, or it is finalized (`invoice_not_editable`).
    """
    found = shop.need("invoice", invoice, param, status)
    if found["status"] != "draft":
        raise not_editable("This invoice is no longer editable")
    return found


def shown(item: Json) -> Json:
    """Return an item as Stripe shows it."""
    return {name: value for name, value in item.items() if name not in (LINE_OF_ITEM, "created")}


def line_of(item: Json) -> Json:
    """Return the invoice line an item is."""
    return {
        "id": item[LINE_OF_ITEM],
        "object": "line_item",
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": item["discountable"],
        "discounts": [],
        "invoice": item["invoice"],
        "livemode": False,
        "metadata": item["metadata"],
        "parent": {
            "type": "invoice_item_details",
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": None,
                "subscription": None,
            },
            "subscription_item_details": None,
        },
        "period": item["period"],
        "pretax_credit_amounts": [],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subtotal": item["amount"],
        "taxes": [],
    }


def item_of_line(shop: Shop, invoice: str, line: str) -> Json:
    """Return the item behind a line of an invoice.

    Raises:
        StripeError: the invoice has no such line.
    """
    for item in shop.store.children(KIND, invoice):
        if item[LINE_OF_ITEM] == line:
            return item
    raise missing("line_item", line)


def total_of(lines: list[Json]) -> int:
    """Return the sum of the lines' amounts."""
    return sum(line["amount"] for line in lines)
