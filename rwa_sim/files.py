"""Writing that loses nothing: aside first, then renamed into place; a full disk is one clear line."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rwa_sim.errors import InputError, OutputUnwritable

_REFUSALS = tuple(
    os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
)


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
    """Write a UTF-8 file so that a reader sees the old content or the new, never a part.

    Raises:
        OutputUnwritable: the system refused; the old content is still there.
    """
    with file_replaced_when_done(path) as aside:
        aside.write_text(text, "utf-8")


@contextmanager
def file_replaced_when_done(path: Path) -> Iterator[Path]:
    """Give a fresh file beside `path`; put it in its place only if the block succeeds.

    Raises:
        OutputUnwritable: the system refused; the old content is still there.
    """
    with refusals_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        aside = Path(name)
        try:
            yield aside
            umask = os.umask(0)
            os.umask(umask)
            aside.chmod(0o666 & ~umask)
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def append_line(path: Path, line: str) -> None:
    """Add a line to a UTF-8 file, whole or not at all, and never among the lines of another process.

    A last line that somebody else cut off stays as it is; the new one begins after it.

    Raises:
        OutputUnwritable: the system refused; the file is as it was.
    """
    with refusals_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _lock(handle)
            size = os.fstat(handle).st_size
            whole = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
            rest = (("" if whole else "\n") + line + "\n").encode()
            try:
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)


def _lock(handle: int) -> None:
    """Wait until no other process writes; it ends when the file is closed."""
    try:
        import fcntl
    except ImportError:  # a system without: its lines are whole as long as one process writes
        return
    fcntl.flock(handle, fcntl.LOCK_EX)


@contextmanager
def folder_replaced_when_done(target: Path) -> Iterator[Path]:
    """Give a fresh folder beside `target`; put it in its place only if the block succeeds.

    A failed block leaves the previous `target` whole and no half-written folder behind.

    Raises:
        OutputUnwritable: the system refused.
    """
    with refusals_named(target):
        target = target.absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            fresh.chmod(0o755)
            yield fresh
            _put_in_place(fresh, target)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise


def _put_in_place(fresh: Path, target: Path) -> None:
    if not target.exists():
        fresh.replace(target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    try:
        target.replace(old / "previous")
        try:
            fresh.replace(target)
        except BaseException:
            (old / "previous").replace(target)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def refusals_named(path: Path) -> Iterator[None]:
    """What the system, or DuckDB in its name, says of a full or broken disk, as one line that names `path`.

    Of nested ones the outermost names it: the inner files are beside their place, which the user did not choose.

    Raises:
        OutputUnwritable: the system refused to write.
    """
    try:
        yield
    except Exception as error:
        reason = _refusal(error)
        if reason is None:
            raise
        raise OutputUnwritable(path=str(path), reason=reason) from error


def _refusal(error: Exception) -> str | None:
    """The system's words, None if it is another failure. DuckDB has an exception tree of its own with them inside."""
    if isinstance(error, OutputUnwritable):
        return error.reason
    if not isinstance(error, OSError) and not type(error).__module__.endswith("duckdb"):
        return None
    return next((words for words in _REFUSALS if words in str(error)), None)
