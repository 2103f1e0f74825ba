"""`python -m migrations`: roles and schema to the newest version, in the database of TIEOUT_DATABASE_URL."""

import os
import sys

from migrations.upgrade import upgrade


def main() -> int:
    """Return 0 once the database is up to date, 2 when no database is named."""
    url = os.environ.get("TIEOUT_DATABASE_URL")
    if not url:
        print("set TIEOUT_DATABASE_URL to the owner's URL of the database", file=sys.stderr)
        return 2
    upgrade(url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
