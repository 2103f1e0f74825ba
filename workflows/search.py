"""Search attributes, typed, in one place: for operators in the Temporal UI, never read by the product."""

from temporalio.common import SearchAttributeKey

CUSTOMER = SearchAttributeKey.for_keyword("CustomerId")
PERIOD = SearchAttributeKey.for_keyword("Period")
CLOSE_STAGE = SearchAttributeKey.for_keyword("CloseStage")
CLOSE_STATE = SearchAttributeKey.for_keyword("CloseState")
APPROVER_QUEUE = SearchAttributeKey.for_keyword("ApproverQueue")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")
INVOICE_CENTS = SearchAttributeKey.for_int("InvoiceCents")

SCHEDULED_START = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Set by the server on what a Schedule starts."""

ALL = (CUSTOMER, PERIOD, CLOSE_STAGE, CLOSE_STATE, APPROVER_QUEUE, NEEDS_ATTENTION, INVOICE_CENTS)
