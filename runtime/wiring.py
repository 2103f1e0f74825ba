"""Wiring: which adapter fits which port. The one place that chooses between concrete things."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from activities.deeds import Outside, WebhookTelling
from activities.ports import Histories, UsageSource
from adapters.clickhouse import CLICKHOUSE, ClickHouseUsage
from adapters.files import read_entity, read_policy, read_value
from adapters.mail import SmtpMailer
from adapters.object_store import S3Store, s3_client
from adapters.postgres.booked_events import PostgresBookedEvents
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.controls import PostgresControls
from adapters.postgres.corrections import PostgresCorrections
from adapters.postgres.drafts import PostgresDrafts
from adapters.postgres.estimates import PostgresEstimates
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.exports import PostgresExports
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.notices import PostgresNotices
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.sessions import Database
from adapters.postgres.stripe_events import PostgresEvents
from adapters.postgres.terms import PostgresTerms
from adapters.postgres.watches import PostgresWatches
from adapters.postgres.webhooks import PostgresWebhooks
from adapters.postgres_usage import PostgresUsage
from adapters.posthog import PostHogExport, PostHogMapping, read_mapping
from adapters.posthog_query import PostHogQuery
from adapters.sealer import Sealer
from adapters.source_files import FolderFiles, S3Files, SourceFiles
from adapters.spreadsheets import SheetLayout, Spreadsheets
from adapters.stripe import StripeInvoices
from adapters.usage_tables import TableMapping
from adapters.webhook_client import WebhookClient
from billing.approval import ApprovalPolicy
from billing.rating.rates import LIST_CARD
from migrations.roles import role_url
from models.entity import DEFAULT, Entity
from models.refusal import Refusal
from models.usage_policy import UsagePolicy
from runtime.clock import SystemClock
from runtime.engine import engine_id
from runtime.settings import Settings

POSTHOG_SECONDS = 30.0
"""Longer than the ten seconds a query may take there."""

HERE = "http://127.0.0.1:8082"
"""Where the portal listens unless its address is named."""

CONSOLE_HERE = "http://127.0.0.1:8083"
"""Where the console does."""

WORKER_CONNECTIONS = 24
"""At least the slots of any one queue: a deed that keeps its snapshot keeps nobody else from the books."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")

DEMO_CARD = "list-2026"
DEMO_BOOK = Path(__file__).resolve().parent.parent / "devstack" / "book"


class SettingMissing(Refusal):
    """Something outside is not named."""

    remedy = "Set it in the environment, or start the embedded stack with `make up`."


class NotForProduction(Refusal):
    """What only the embedded stack may do was asked for elsewhere."""

    remedy = "Leave TIEOUT_WEBHOOKS_AUTHORITY out: endpoints are told on the public internet alone."


class AddressUnusable(Refusal):
    """What is to be a mail address is none."""

    remedy = "Name addresses such as finance@example.com, with commas in between."


def database(config: Settings, role: str, patience_seconds: int = 0) -> Database:
    """Return the database as one role sees it: worker, console, auditor, rates, hooks or portal.

    A statement that takes longer than `patience_seconds` is given up; 0: none is.
    """
    ask_first = role != "worker"  # a deed that fails is run again
    connections = WORKER_CONNECTIONS if role == "worker" else 8
    given = {
        "worker": config.database_worker_url,
        "console": config.database_console_url,
        "auditor": config.database_auditor_url,
        "rates": config.database_rates_url,
        "hooks": config.database_hooks_url,
        "portal": config.database_portal_url,
    }[role]
    if given is not None:
        return Database(given.get_secret_value(), connections, ask_first=ask_first, patience_seconds=patience_seconds)
    if config.database_url is None:
        raise SettingMissing(f"no database is named for the role {role}", setting=f"TIEOUT_DATABASE_{role.upper()}_URL")
    url = role_url(config.database_url.get_secret_value(), role)
    return Database(url, connections, ask_first=ask_first, patience_seconds=patience_seconds)


@dataclass(frozen=True)
class Identity:
    """Finance's identity provider, who we are there, and the word that signs the cookie of who is away at it."""

    issuer: str
    client: str
    secret: str
    word: str


def identity_of(config: Settings) -> Identity:
    """Return how finance signs in."""
    if config.identity_issuer is None:
        raise SettingMissing("no identity provider is named", setting="TIEOUT_IDENTITY_ISSUER")
    return Identity(
        issuer=config.identity_issuer.rstrip("/"),
        client=config.identity_client,
        secret=_needed(config.identity_secret, "TIEOUT_IDENTITY_SECRET"),
        word=_needed(config.pages_secret, "TIEOUT_PAGES_SECRET"),
    )


def policy_of(config: Settings) -> UsagePolicy:
    """Return what the sources declare, from the policy file."""
    return read_policy(_file(config, config.policy_file, "policy.yaml", "TIEOUT_POLICY_FILE"))


def cost_card_of(config: Settings) -> str:
    """Return the rate card that sources' own costs are compared with: the setting's, else the list, or the demo's."""
    return config.cost_card or (DEMO_CARD if config.embedded else LIST_CARD)


def entity_of(config: Settings) -> Entity:
    """Return the entity of the settings' file; without one, the defaults that nobody signed."""
    return read_entity(config.entity_file) if config.entity_file is not None else DEFAULT


def store_of(config: Settings) -> S3Store:
    """Return the evidence store."""
    return S3Store(
        config.evidence_bucket,
        Path(config.cache_folder),
        config.s3_url,
        config.s3_access_key.get_secret_value() if config.s3_access_key else None,
        config.s3_secret_key.get_secret_value() if config.s3_secret_key else None,
        config.retention_days,
    )


def sources_of(config: Settings, policy: UsagePolicy) -> dict[str, UsageSource]:
    """Return the usage sources the policy declares; a new source is one adapter and one line here."""
    s3 = s3_client(
        config.s3_url,
        config.s3_access_key.get_secret_value() if config.s3_access_key else None,
        config.s3_secret_key.get_secret_value() if config.s3_secret_key else None,
    )
    known: dict[str, UsageSource] = {}
    for name, declared in policy.sources.items():
        match name:
            case "clickhouse":
                table = read_value(config.clickhouse_file, TableMapping) if config.clickhouse_file else CLICKHOUSE
                known[name] = ClickHouseUsage(_needed(config.clickhouse_url, "TIEOUT_CLICKHOUSE_URL"), table)
            case "postgres":
                if config.usage_file is None:
                    raise SettingMissing("a file is not named", setting="TIEOUT_USAGE_FILE")
                url = _needed(config.usage_url, "TIEOUT_USAGE_URL")
                known[name] = PostgresUsage(url, read_value(config.usage_file, TableMapping))
            case "posthog":
                mapping = read_mapping(_file(config, config.posthog_file, "posthog.yaml", "TIEOUT_POSTHOG_FILE"))
                export = S3Files(s3, config.sources_bucket, config.posthog_prefix)
                known[name] = PostHogExport(export, mapping, _cross_check(config, mapping))
            case "sheet":
                files: SourceFiles = (
                    FolderFiles(config.sheets_folder)
                    if config.sheets_folder
                    else S3Files(s3, config.sources_bucket, config.sheets_prefix)
                )
                layout = read_value(config.sheets_file, SheetLayout) if config.sheets_file else SheetLayout()
                known[name] = Spreadsheets(files, declared.timezone, layout)
            case _:
                raise SettingMissing("the policy declares a source without an adapter", source=name)
    return known


def _cross_check(config: Settings, mapping: PostHogMapping) -> PostHogQuery | None:
    """Return PostHog's own totals to hold the export against, where a project and a key are named."""
    if config.posthog_project is None:
        return None
    client = httpx.Client(base_url=config.posthog_url, timeout=POSTHOG_SECONDS)
    return PostHogQuery(client, config.posthog_project, _needed(config.posthog_key, "TIEOUT_POSTHOG_KEY"), mapping)


def platform_of(config: Settings) -> StripeInvoices:
    """Return the invoicing platform."""
    return StripeInvoices(_needed(config.stripe_key, "TIEOUT_STRIPE_KEY"), config.stripe_url)


def mailer_of(config: Settings) -> SmtpMailer | None:
    """Return what sends mail, or None where no server is named."""
    if config.smtp_url is None:
        return None
    return SmtpMailer(
        config.smtp_url.get_secret_value(), config.mail_from, config.portal_url or HERE,
        config.console_url or CONSOLE_HERE,
    )  # fmt: skip


def webhook_client_of(config: Settings) -> WebhookClient:
    """Return what posts to customers' endpoints; raises NotForProduction."""
    authority = config.webhooks_authority
    if authority is None:
        return WebhookClient()
    if not config.embedded or urlsplit(config.portal_url or HERE).hostname not in LOOPBACK:
        raise NotForProduction("endpoints on this machine are for the embedded stack, on this machine alone")
    return WebhookClient(loopback=True, authority=str(authority))


def sealer_of(config: Settings) -> Sealer | None:
    """Return what seals and opens the secrets of endpoints, or None where no key is set; raises KeyUnusable."""
    return Sealer(config.webhooks_key.get_secret_value()) if config.webhooks_key is not None else None


def webhooks_of(config: Settings, books: Database) -> WebhookTelling | None:
    """Return what tells customers' endpoints, or None where no key is set."""
    sealer = sealer_of(config)
    if sealer is None:
        return None
    return WebhookTelling(PostgresWebhooks(books), sealer, webhook_client_of(config), config.portal_url or HERE)


def finance_of(config: Settings) -> tuple[str, ...]:
    """Return the addresses the nightly watch is mailed to; raises AddressUnusable."""
    addresses = tuple(one.strip() for one in config.finance_mail.split(",") if one.strip())
    for address in addresses:
        if not ADDRESS.fullmatch(address):
            raise AddressUnusable("this is no mail address", setting="TIEOUT_FINANCE_MAIL", given=address)
    return addresses


def outside_of(config: Settings, histories: Histories) -> Outside:
    """Return everything deeds need, fitted to the real outside of these settings."""
    books = database(config, "worker")
    policy = policy_of(config)
    return Outside(
        terms=PostgresTerms(books),
        rate_changes=PostgresRateChanges(books),
        corrections=PostgresCorrections(books),
        events=PostgresEvents(books),
        controls=PostgresControls(books),
        evidence=PostgresEvidence(books),
        watches=PostgresWatches(books),
        closes=PostgresCloses(books),
        invoices=PostgresInvoices(books),
        journal=PostgresJournal(books),
        estimates=PostgresEstimates(books),
        notices=PostgresNotices(books),
        mailer=mailer_of(config),
        finance=finance_of(config),
        webhooks=webhooks_of(config, books),
        booked=PostgresBookedEvents(books),
        drafts=PostgresDrafts(books),
        exports=PostgresExports(books),
        issuer=config.entity,
        entity=entity_of(config),
        store=store_of(config),
        platform=platform_of(config),
        sources=sources_of(config, policy),
        policy=policy,
        approval=ApprovalPolicy(automatic=config.automatic_approval),
        histories=histories,
        clock=SystemClock(),
        engine=engine_id(),
        scratch=Path(config.cache_folder),
        cost_card=cost_card_of(config),
        usage_memory_mib=config.usage_memory_mib,
        shard_size=config.shard_size,
        poll_seconds=config.poll_seconds,
        reminder_hours=config.reminder_hours,
        at_one_instant=books.at_one_instant,
    )


def _needed(secret: SecretStr | None, name: str) -> str:
    if secret is None:
        raise SettingMissing("a setting is missing", setting=name)
    return secret.get_secret_value()


def _file(config: Settings, given: Path | None, demo: str, name: str) -> Path:
    if given is not None:
        return given
    if config.embedded:
        return DEMO_BOOK / demo
    raise SettingMissing("a file is not named", setting=name)
