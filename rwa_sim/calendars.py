"""A calendar by its name, or by a dated holiday file where no library has the years."""

from __future__ import annotations

from pathlib import Path

from rwa_sim.domain.calendar import BusinessCalendar, business_calendar, holiday_list_calendar
from rwa_sim.errors import DataMissing, InputError

SUFFIX = ".csv"
MAX_FILE_BYTES = 1_000_000


def find_calendar(name: str, *, where: str) -> BusinessCalendar:
    """The calendar of that name, or of the holiday file if the name ends in `.csv`.

    Args:
        name: such as TARGET, or such as holidays/cn_2027.csv (format in `holiday_list_calendar`).
        where: what an error names as the place of the fault.

    Raises:
        UnknownName: there is no calendar of that name.
        DataMissing: there is no such file.
        InputError: the file is not a dated holiday list.
    """
    if not name.endswith(SUFFIX):
        return business_calendar(name, where=where)
    path = Path(name)
    if not path.is_file():
        raise DataMissing(where=where, key="calendar", path=name)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(where=name, expected=f"at most {MAX_FILE_BYTES} bytes")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise InputError(where=name, expected="a text in UTF-8") from None
    return holiday_list_calendar(text, path.stem, where=name)
