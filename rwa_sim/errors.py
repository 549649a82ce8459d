"""The exception tree of expected failures.

    RwaError                          base; ``exit_code`` says how the command line ends
    ├── InputError                    bad input: file, key, what was expected (exit 2)
    │   ├── UnknownName               a name outside a closed list
    │   ├── DataMissing               a data file that is not where it was named
    │   ├── MalformedReading          one record of a source that cannot be read
    │   ├── ClockUnsteady             a logger's clock does not keep step with the sun
    │   └── CalendarYearMissing       a holiday calendar has no data for the year asked
    ├── EnvironmentFault              the machine lacks something (exit 2)
    │   ├── CompilerMissing           no Solidity compiler and no built contracts
    │   ├── NodeUnreachable           a chain node does not answer
    │   ├── ClusterUnreachable        no scheduler answers, or it has no workers
    │   ├── TransactionRefused        a node did not take a transaction into a block
    │   ├── WorkerLost                a worker process was killed
    │   ├── OutputUnwritable          the disk is full, or an output cannot be written for another reason
    │   └── ExtraMissing              an optional package is not installed
    ├── Reverted                      a contract refused; decoded name and fields (exit 1)
    ├── OracleRefusal                 no report; its leaves are in `oracles.errors` (exit 1)
    ├── Interrupted                   the user stopped what keeps its beginning (exit 130)
    └── ResultFailed                  a run ended with a broken invariant (exit 1)

Anything else that escapes is a defect of the program, not of its input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class RwaError(Exception):
    """An expected failure; its text is one clear line for the user."""

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker process hands its error on whole, whatever arguments made it."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[RwaError], args: tuple[Any, ...], values: dict[str, Any]) -> RwaError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(values)
    return error


class InputError(RwaError):
    """Input that cannot be accepted.

    Attributes:
        where: file, option or document the input came from.
        key: the field, row or argument at fault ("" if the whole document is).
        expected: what would have been accepted.
        got: the value found, already rendered ("" if absent).
    """

    exit_code = 2

    def __init__(self, *, where: str, expected: str, key: str = "", got: str = "") -> None:
        self.where, self.key, self.expected, self.got = where, key, expected, got
        place = f"{where}: {key}" if key else where
        found = f", got {got}" if got else ""
        super().__init__(f"{place}: expected {expected}{found}")


class UnknownName(InputError):
    """A name that is not in a closed list of names."""

    def __init__(self, *, where: str, key: str, got: str, known: Iterable[str]) -> None:
        self.known = tuple(sorted(known))
        super().__init__(where=where, key=key, expected="one of " + ", ".join(self.known), got=repr(got))


class DataMissing(InputError):
    """A data file that was named but is not there."""

    def __init__(self, *, where: str, key: str, path: str, looked_in: Iterable[str] = ()) -> None:
        self.path = path
        places = ", ".join(looked_in)
        expected = "an existing file" + (f" (looked in {places})" if places else "")
        super().__init__(where=where, key=key, expected=expected, got=path)


class MalformedReading(InputError):
    """One record of a meter or bank source that cannot be read."""


class ClockUnsteady(InputError):
    """A logger's clock jumps against the sun between months, as one that follows summer time does.

    Attributes:
        shifts_s: how late each month is against the sun, seconds.
        tolerance_s: by how much two months may differ.
    """

    def __init__(self, *, where: str, shifts_s: Mapping[str, int], tolerance_s: int) -> None:
        self.shifts_s, self.tolerance_s = dict(shifts_s), tolerance_s
        super().__init__(
            where=where,
            key="clock",
            expected=f"months within {tolerance_s} s of each other against the sun; if the logger went with a "
            'civil zone, set clock to "dst_follows:<zone>", such as dst_follows:America/Denver',
            got=", ".join(f"{month} {shift_s:+d} s" for month, shift_s in self.shifts_s.items()),
        )


class CalendarYearMissing(InputError):
    """A holiday calendar was asked for a year it has no data for."""

    def __init__(self, *, calendar: str, year: int, first_year: int, last_year: int) -> None:
        self.calendar, self.year = calendar, year
        self.first_year, self.last_year = first_year, last_year
        super().__init__(
            where=f"calendar {calendar}",
            key="year",
            expected=f"a year with holiday data ({first_year}-{last_year})",
            got=str(year),
        )


class EnvironmentFault(RwaError):
    """The machine lacks something the command needs."""

    exit_code = 2


class CompilerMissing(EnvironmentFault):
    """There is no Solidity compiler and no built contracts to fall back on."""


class NodeUnreachable(EnvironmentFault):
    """A chain node does not answer at its address."""


class ClusterUnreachable(EnvironmentFault):
    """A cluster for sweeps does not answer, or has no workers."""


class TransactionRefused(EnvironmentFault):
    """A node did not take a transaction into a block: no gas money, a wrong nonce, too little gas."""


class WorkerLost(EnvironmentFault):
    """A worker process ended before its work did: somebody killed it, or the system did for want of memory."""

    def __init__(self) -> None:
        super().__init__("worker processes: expected all to live, one was killed (out of memory?)")


class OutputUnwritable(EnvironmentFault):
    """An output could not be written; what was there before still is.

    Attributes:
        path: the output as the user named it.
        reason: the system's own words, such as "No space left on device".
    """

    def __init__(self, *, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: expected to write it, got {reason}")


class ExtraMissing(EnvironmentFault):
    """An optional package is needed and not installed."""

    def __init__(self, *, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{purpose} needs the package {package}: pip install 'rwa-sim[{extra}]'")


class Reverted(RwaError):
    """A contract refused a call.

    Attributes:
        error: name of the custom error, ``Error`` for a reason string, ``Panic``,
            or ``Empty`` if the contract gave no data.
        fields: the error's arguments by name.
        data: raw revert data.
    """

    def __init__(self, error: str, fields: Mapping[str, Any], data: bytes = b"", call: str = "") -> None:
        self.error, self.fields, self.data, self.call = error, dict(fields), data, call
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in self.fields.items())
        prefix = f"{call}: " if call else ""
        super().__init__(f"{prefix}reverted with {error}({shown})")


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


class Interrupted(RwaError):
    """The user stopped a command that keeps its beginning; the text says where it is."""

    exit_code = 130


class ResultFailed(RwaError):
    """A run finished but one of its own checks does not hold."""

    exit_code = 1
