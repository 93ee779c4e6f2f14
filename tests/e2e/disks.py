"""File systems of a test's own in image files: need root, loop devices and mkfs.

Everything is unmounted and removed by remove(), which may be called at any time and again.
"""

import os
import shutil
import subprocess
import tempfile
import time

from faults import SmallDisk


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def unmount(path):
    for _ in range(50):
        if run("umount", path).returncode == 0:
            return
        time.sleep(0.1)
    run("umount", "--lazy", path)


class ImageDisk(SmallDisk):
    """An image file with a file system, mounted; `mounted` is False, and `why` says why, where this
    machine cannot. `mkfs` is the command, without the file."""

    def __init__(self, size, mkfs=("mkfs.ext4", "-q"), folder=None):
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="daybook-image-")
        self.image = os.path.join(self.folder, "disk.img")
        self.path = tempfile.mkdtemp(prefix="daybook-disk-")
        self.mounted, self.why = False, ""
        if os.geteuid() != 0:
            self.why = "only root can mount"
        elif not shutil.which(mkfs[0]):
            self.why = f"no {mkfs[0]}"
        else:
            with open(self.image, "wb") as file:
                file.truncate(size)
            done = run(*mkfs, self.image)
            self.why = done.stderr.strip()
            if done.returncode == 0:
                self.mount()

    def mount(self):
        done = run("mount", "-o", "loop", self.image, self.path)
        self.mounted = done.returncode == 0
        self.why = done.stderr.strip()
        return self.mounted

    def unmount(self):
        if self.mounted:
            unmount(self.path)
            self.mounted = False

    def fill(self, leave):
        """As SmallDisk's, without writing the bytes."""
        with open(os.path.join(self.path, "ballast"), "ab", buffering=0) as file:
            for _ in range(5):
                more = self.free() - leave
                if more <= 0:
                    return
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, more)
                except OSError:
                    return

    def remove(self):
        self.unmount()
        shutil.rmtree(self.path, ignore_errors=True)
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class Snapshot(ImageDisk):
    """A crash of another image's file system: its image as it is now, mounted by itself."""

    def __init__(self, of):  # pylint: disable=super-init-not-called
        self.own_folder, self.folder = False, of.folder
        self.image = of.image + ".snapshot"
        self.path = tempfile.mkdtemp(prefix="daybook-disk-")
        self.mounted, self.why = False, ""
        done = run("cp", "--reflink=always", of.image, self.image)
        self.why = done.stderr.strip()
        self.taken = done.returncode == 0

    def remove(self):
        super().remove()
        if os.path.exists(self.image):
            os.unlink(self.image)
