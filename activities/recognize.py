"""recognize: schedule what an issued month earns, now and later."""

from temporalio import activity

from activities.deeds import Outside
from activities.messages import ScheduleRef, StatementDeed
from billing import recognition, terms
from models.close import Stage, State
from models.money import to_minor, total


class Recognize:
    """The deeds of the sixth stage."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="recognize.schedule_revenue")
    def schedule_revenue(self, task: StatementDeed) -> ScheduleRef:
        """Return the revenue schedule of a statement, by its fingerprint and totals.

        Raises:
            A refusal where a line has no rule: nothing is recognized by default.
        """
        outside, close = self.outside, task.close
        statement = outside.evidence.statement(task.statement)
        prior = outside.evidence.issued_statements(statement.contract, close.month)
        schedule = recognition.schedule_for(
            statement,
            prior,
            terms.in_force(outside.terms.contracts(close.customer), close.customer, close.month),
            outside.terms.opening(statement.contract),
            outside.entity,
            outside.estimates.estimates(statement.contract),
        )
        outside.closes.project(
            close.month,
            close.revision,
            close.customer,
            Stage.POST,
            State.RUNNING,
            outside.clock.now(),
            "",
            schedule=schedule.fingerprint(),
        )
        return ScheduleRef(
            fingerprint=schedule.fingerprint(),
            earned_minor=to_minor(schedule.earned, statement.currency),
            later_minor=to_minor(total(row.amount for row in schedule.later), statement.currency),
        )
