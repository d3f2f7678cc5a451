"""Network file systems are told from local ones by the table of mounts."""

from pathlib import Path

import pytest

from antiphon.stores.filesystem import network_filesystem

MOUNTS = r"""rootfs / rootfs rw 0 0
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/vdb /home/local xfs rw 0 0
//nas/share /mnt/a\040share cifs rw 0 0
someone@host:/ /mnt/ssh fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/antiphon", None),
        ("/home/me/.local/share/antiphon", "nfs4"),
        ("/home/local/antiphon", None),
        ("/homes", None),
        ("/mnt/a share/data", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
    ],
)
def test_the_deepest_mount_says_what_a_path_is_on(path: str, kind: str | None) -> None:
    assert network_filesystem(Path(path), MOUNTS) == kind


def test_a_temporary_directory_is_local(tmp_path: Path) -> None:
    assert network_filesystem(tmp_path) is None
