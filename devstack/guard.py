"""Stand between the stack and one child, so that no child outlives its parent, however the parent died.

Run as a script of its own, with nothing but the standard library. Standard input is a pipe from the parent: its first
line is the order (JSON), later lines are `stop` or `kill`, and its end means the parent is gone, by SIGKILL too, which
is answered like `stop`. (prctl(PR_SET_PDEATHSIG) does this on Linux only.) Standard output carries one line, the
child's pid.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any


def main() -> int:
    """Return the child's exit status once it has ended; 127 when it could not be executed."""
    orders = sys.stdin.buffer
    order: dict[str, Any] = json.loads(orders.readline())
    account = order["account"] or {}
    try:
        # A session of its own: Ctrl-C in the terminal reaches the parent only, which then stops the children in order.
        child = subprocess.Popen(
            order["argv"],
            env=order["environment"],
            cwd=order["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            **account,
        )
    except OSError as error:
        print(f"guard: {error}", file=sys.stderr)
        print("0", flush=True)
        return 127

    def stop() -> None:
        child.send_signal(order["stop_signal"])
        try:
            child.wait(order["grace_seconds"])
        except subprocess.TimeoutExpired:
            print(f"guard: still there after {order['grace_seconds']} s, killing it", file=sys.stderr)
            kill()

    def kill() -> None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            child.poll()  # it ended by itself meanwhile, which is what was asked for

    def obey() -> None:
        for line in iter(orders.readline, b""):
            kill() if line.strip() == b"kill" else stop()
        stop()

    def asked_to_end(_signal: int, _frame: object) -> None:
        threading.Thread(target=stop, daemon=True).start()

    signal.signal(signal.SIGTERM, asked_to_end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(child.pid, flush=True)
    threading.Thread(target=obey, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status if status >= 0 else 128 - status)  # the thread that reads the pipe would hold up an ordinary exit
