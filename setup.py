"""What pyproject.toml cannot say: an sdist of one commit has equal bytes wherever it is built."""

import gzip
import os
import tarfile

from setuptools import setup
from setuptools.command.sdist import sdist


class Sdist(sdist):
    """An sdist whose files have the time SOURCE_DATE_EPOCH, if that is set, and no owner.

    setuptools does so for wheels alone. Compressed bytes are also zlib's: another build of it may
    write others, of the same content.
    """

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        """Pack a folder; returns the archive's path."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)

        def plain(member):
            member.mtime = int(epoch)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        path = f"{base_name}.tar.gz"
        with (
            open(path, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(os.path.join(root_dir or "", base_dir), base_dir, filter=plain)
        return path


if "SOURCE_DATE_EPOCH" in os.environ:
    os.umask(0o022)  # the wheel keeps permissions of files that the build makes
setup(cmdclass={"sdist": Sdist})
