"""The processes of a run: started, watched, killed by their process id, started again; on Linux they end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rwa_sim.processes import ending_with_this

STOP_S = 5


@dataclass(slots=True)
class Child:
    """One process of the command line, and what became of it."""

    name: str
    command: str
    config: Path
    log: Path
    environment: dict[str, str] = field(repr=False)
    starts: int = 0
    kills: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended by itself; None while it runs, was killed, or was never started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; its output goes to its log."""
        arguments = [
            sys.executable,
            "-m",
            "rwa_sim",
            "oracle",
            self.command,
            "--config",
            str(self.config),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ending_with_this(arguments),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=os.environ | self.environment,
            )
        self.starts += 1

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            self.kills += 1

    def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def has_said(self, word: str) -> bool:
        """Whether a word is in its log."""
        return self.log.exists() and word in self.log.read_text("utf-8", "replace")

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "nothing"
