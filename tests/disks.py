"""Folders that cannot be written to, and disks that are too small."""

import os
import shutil
import subprocess

import pytest
from commands import TOP, environment


def _ended(arguments, timeout=600, cwd=TOP):
    return subprocess.run(
        [*map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=environment(),
    )


def read_only(folder, arguments, cwd=TOP):
    """Run a command while nothing in a folder may be written; returns the process.

    Root, whom permissions do not bind, runs it without that privilege.
    """
    bound = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        return _ended([*bound, *arguments], cwd=cwd)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


_ALONE = ["unshare", "--mount", "--map-root-user", "sh", "-c"]  # sees mounts that nobody else sees


def _mounts():
    """Return whether this process may mount a disk."""
    trial = [*_ALONE, "mount -t tmpfs tmpfs /mnt"]
    return bool(shutil.which("unshare")) and not _ended(trial).returncode


def on_a_small_disk(size, folder, arguments):
    """Run a command while a disk of some size is mounted on a folder; returns the process.

    The disk begins with what is in `<folder>.kept`, and what is on it at the end is put there.
    Skips the test where no disk can be mounted.
    """
    if not _mounts():
        pytest.skip("no disk can be mounted here: unshare --mount")
    script = (
        'size=$1; at=$2; shift 2; mount -t tmpfs -o size="$size" tmpfs "$at"; '
        'if [ -d "$at.kept" ]; then cp -a "$at.kept/." "$at"; fi; "$@"; status=$?; '
        'rm -rf "$at.kept"; cp -a "$at" "$at.kept"; exit $status'
    )
    return _ended([*_ALONE, script, "sh", size, folder, *arguments])
