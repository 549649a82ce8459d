"""What a pyrevm instance has touched, read from its journal.

Nothing but the journal's own debug text lists the storage, so that text is read; the release that writes it is
pinned by the extra, and a text of another form is refused instead of half understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rwa_sim.errors import EnvironmentFault

_ACCOUNT = re.compile(r"0x([0-9a-f]{40}): Account \{ info: AccountInfo \{ ")
_STORAGE, _SLOT_MARK = "storage: {", ": StorageSlot {"
_SLOT = re.compile(r"(\d+): StorageSlot \{ previous_or_original_value: (\d+), present_value: (\d+) \}")
_END_OF_STATE = "}, transient_storage: {"


def read_journal(evm: Any) -> Iterator[tuple[str, dict[int, int]]]:
    """Every account touched, by lower-case address, with the slots that have another value than before.

    Raises:
        EnvironmentFault: pyrevm writes its journal in another form than this program reads.
    """
    text = evm.journal_str
    end = text.find(_END_OF_STATE)
    found = list(_ACCOUNT.finditer(text, 0, max(end, 0)))
    if end < 0 or len(found) != len(evm.journal_state):
        raise _unknown_form()
    ends = [match.start() for match in found[1:]] + [end]
    for match, next_at in zip(found, ends, strict=False):
        begin = text.rfind(_STORAGE, match.end(), next_at)
        if begin < 0:
            raise _unknown_form()
        slots = _SLOT.findall(text, begin, next_at)
        if len(slots) != text.count(_SLOT_MARK, begin, next_at):
            raise _unknown_form()
        yield "0x" + match[1], {int(slot): int(now) for slot, before, now in slots if now != before}


def _unknown_form() -> EnvironmentFault:
    return EnvironmentFault(
        "engine revm: expected the journal of pyrevm in its known form, got another; "
        "install the release the extra names: pip install 'rwa-sim[revm]'"
    )
