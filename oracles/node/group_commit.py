"""One commit for all that came within a moment, and the answers to it afterwards.

hold, hold, hold ──► commit ──► everyone who waits for `settled`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from oracles.node.journal import Journal
from rwa_sim.errors import EnvironmentFault

_GROUP_S = 0.002


class GroupCommit:
    """Commits what a journal holds, a moment after the first of it was held.

    Args:
        then: called after each commit.
    """

    def __init__(self, journal: Journal, then: Callable[[], None]) -> None:
        self._journal, self._then = journal, then
        self._group: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Something was held: it is committed soon."""
        if self._group is None:
            loop = asyncio.get_running_loop()
            self._group = loop.create_future()
            self._group.add_done_callback(lambda group: group.exception())  # nobody has to wait for it
            loop.call_later(_GROUP_S, self._commit, self._group)

    async def settled(self) -> None:
        """Return once all that was held until now is on disk.

        Raises:
            EnvironmentFault: it is not, and will not be.
        """
        if self._group is None:
            self._journal.commit()
        else:
            await asyncio.shield(self._group)  # one who gives up does not end it for the others

    def _commit(self, group: asyncio.Future[None]) -> None:
        self._group = None
        try:
            self._journal.commit()
        except EnvironmentFault as fault:
            group.set_exception(fault)
        else:
            group.set_result(None)
        self._then()
