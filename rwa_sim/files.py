"""Writing that loses nothing: aside first, then renamed into place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rwa_sim.errors import InputError


def require_own_folder(out: Path, marker: str) -> None:
    """Refuse an output folder that holds anything but an earlier output of the same kind, which may be replaced.

    Args:
        out: the folder asked for.
        marker: a file that every output of this kind has.

    Raises:
        InputError: a file, or a folder with other content.
    """
    if out.exists() and not out.is_dir():
        raise InputError(where=str(out), key="--out", expected="a folder or a new name", got="a file")
    if out.is_dir() and any(out.iterdir()) and not (out / marker).is_file():
        expected = f"a new folder, an empty one, or one of an earlier output (with {marker})"
        raise InputError(where=str(out), key="--out", expected=expected, got="a folder with other files")


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 file so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def append_line(path: Path, line: str) -> None:
    """Append one line to a UTF-8 file, under a lock, so that lines of several processes never mix.

    A last line that was cut off stays as it is; the new one begins after it.
    """
    import fcntl  # which not every system has, and nothing else here needs

    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # ends when the file is closed
        size = os.fstat(handle).st_size
        whole = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
        os.write(handle, (("" if whole else "\n") + line + "\n").encode())
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def folder_replaced_when_done(target: Path) -> Iterator[Path]:
    """Give a fresh folder beside `target`; put it in its place only if the block succeeds.

    A failed block leaves the previous `target` whole and no half-written folder behind.
    """
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        fresh.chmod(0o755)
        yield fresh
        if target.exists():
            old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
            target.replace(old / "previous")
            fresh.replace(target)
            shutil.rmtree(old)
        else:
            fresh.replace(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
