"""What kind of file system a path is on: locks and shared memory of SQLite do not work over a network."""

from pathlib import Path, PurePosixPath

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset(
    "9p afs beegfs ceph cifs fuse.ceph fuse.glusterfs fuse.sshfs glusterfs gpfs lustre nfs nfs4 smb3 smbfs".split()
)


def network_filesystem(path: Path, mounts: str | None = None) -> str | None:
    """The type of the network file system that holds `path`; None where it is local or cannot be told.

    `mounts` is the table of mounts in the form of Linux; that of this machine where it is None.
    """
    if mounts is None:
        if not _MOUNTS.exists():
            return None
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    found = _holder(PurePosixPath(path.resolve()), mounts)
    return found if found in _NETWORK else None


def _holder(path: PurePosixPath, mounts: str) -> str | None:
    """The type of the deepest mount above a path; of several at one place, of the last."""
    best, kind = -1, None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = PurePosixPath(fields[1].encode().decode("unicode_escape"))
        depth = len(place.parts)
        if depth >= best and path.is_relative_to(place):
            best, kind = depth, fields[2]
    return kind
