"""recognize: schedule what an issued month earns, now and later."""

from temporalio import activity

from activities.deeds import Outside
from activities.messages import ScheduleRef, StatementDeed
from billing import recognition, terms
from models.close import Stage, State
from models.facts import inputs_of
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
        contracts = terms.in_force(outside.terms.contracts(close.customer), close.customer, close.month)
        opening = outside.terms.opening(statement.contract)
        estimates = outside.estimates.estimates(statement.contract)
        schedule = recognition.schedule_for(statement, prior, contracts, opening, outside.entity, estimates)
        of = [*(one.fingerprint() for one in prior), task.statement]
        outside.evidence.keep_schedule(
            inputs_of(of, contracts, opening, outside.entity, estimates), schedule, outside.clock.now()
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
