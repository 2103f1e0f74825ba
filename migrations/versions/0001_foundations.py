"""Foundations: how booked amounts, fingerprints and months are checked, and what refuses every change of a row."""

from alembic import op

revision = "0001"
down_revision = None

# Minor digits by CLDR (babel 2.18), frozen here; tests/adapters/postgres holds the function against models.money.
ZERO_DIGITS = (
    "ADP AFN ALL BIF BYR CLP DJF ESP GNF IQD IRR ISK ITL JPY KMF KPW KRW LAK LBP LUF MGA MGF MMK MRO PYG RSD RWF SLL "
    "SOS STD SYP TMM TRL UGX UYI VND VUV XAF XOF XPF YER ZMK ZWD"
)
THREE_DIGITS = "BHD JOD KWD LYD OMR TND"
FOUR_DIGITS = "CLF UYW"


def _quoted(codes: str) -> str:
    return ", ".join(f"'{code}'" for code in codes.split())


def upgrade() -> None:
    """Make the functions and domains that every table uses."""
    op.execute(f"""
        CREATE FUNCTION tieout.minor_digits(currency text) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN CASE
            WHEN currency IN ({_quoted(ZERO_DIGITS)}) THEN 0
            WHEN currency IN ({_quoted(THREE_DIGITS)}) THEN 3
            WHEN currency IN ({_quoted(FOUR_DIGITS)}) THEN 4
            ELSE 2
        END
    """)
    op.execute("""
        CREATE FUNCTION tieout.booked(amount numeric, currency text) RETURNS boolean
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN amount = round(amount, tieout.minor_digits(currency))
    """)
    op.execute("""
        CREATE FUNCTION tieout.fingerprint_of(body text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN encode(sha256(convert_to(body, 'UTF8')), 'hex')
    """)
    op.execute("""
        CREATE FUNCTION tieout.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% on %.% is refused: rows are appended, never changed; correct forward',
                TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'TIE01';
        END $$
    """)
    op.execute("CREATE DOMAIN tieout.month AS text CHECK (VALUE ~ '^[0-9]{4}-(0[1-9]|1[0-2])$')")
    op.execute("CREATE DOMAIN tieout.currency AS text CHECK (VALUE ~ '^[A-Z]{3}$')")
    op.execute("CREATE DOMAIN tieout.sha256 AS text CHECK (VALUE ~ '^[0-9a-f]{64}$')")


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP DOMAIN tieout.sha256, tieout.currency, tieout.month")
    op.execute("DROP FUNCTION tieout.refuse_change(), tieout.fingerprint_of(text), tieout.booked(numeric, text)")
    op.execute("DROP FUNCTION tieout.minor_digits(text)")
