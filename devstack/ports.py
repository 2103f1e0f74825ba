"""Free ports on 127.0.0.1 that stay free: a service keeps its port over restarts."""

from __future__ import annotations

import os
import socket
import threading

# Below 32768, where Linux starts to hand out ports to outgoing connections: such a connection could take the port of a
# service that is being restarted. Below 22768 also because SeaweedFS opens gRPC at each port + 10000.
FIRST, LAST = 15_000, 22_700
APART = 1_201

_handed_out: set[int] = set()
_lock = threading.Lock()


class NoFreePort(RuntimeError):
    """Every port of our range is taken."""


def is_free(port: int) -> bool:
    """Return whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the previous run that still linger must not make the port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Return whether something accepts connections on 127.0.0.1:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def choose(wanted: int | None, also: int = 0) -> int:
    """Return `wanted` when it is free, else another free port; each port is given out once in this process.

    With `also`, the port that lies `also` above is free too and given out with it.

    Raises:
        NoFreePort: none is left in the range.
    """
    with _lock:
        # Processes that start stacks at the same moment (test workers have neighbouring ids) look in different places,
        # for between asking whether a port is free and listening on it another could take it.
        start = FIRST + (os.getpid() * APART) % (LAST - FIRST)
        candidates: list[int] = [*range(start, LAST), *range(FIRST, start)]
        for port in candidates if wanted is None else [wanted, *candidates]:
            pair = {port, port + also}
            if (port == wanted or not pair & _handed_out) and all(is_free(each) for each in pair):
                _handed_out.update(pair)
                return port
    raise NoFreePort(f"no free port between {FIRST} and {LAST}")
