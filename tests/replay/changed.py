"""A plan as nobody should change it: revenue is posted before it is recognized. It shows that the gate can fail."""

from temporalio import workflow

from activities.messages import CloseCustomer, CustomerClosed
from models.close import State
from workflows.customer_close import CustomerClose


@workflow.defn(name="CustomerClose")
class PostedBeforeRecognized(CustomerClose):
    """CustomerClose with two deeds in another order."""

    @workflow.init
    def __init__(self, task: CloseCustomer) -> None:
        super().__init__(task)

    @workflow.run
    async def run(self, task: CloseCustomer) -> CustomerClosed:
        """Return how the month ended, by the wrong way."""
        statement, invoice = await self.until_issued()
        await self.post(statement, invoice)
        await self.recognize(statement)
        await self.publish(statement, invoice)
        return CustomerClosed(customer=task.customer, state=State.DONE)
