"""One deployed market for each file, rolled back after each story."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rwa_sim.chain.tester import TesterEngine
from tests.contracts.kit import Market, deploy_market, rolled_back


@pytest.fixture(scope="module")
def deployed() -> Iterator[Market]:
    """The market as it stands on its issue date."""
    with TesterEngine(seed=1) as chain:
        yield deploy_market(chain)


@pytest.fixture
def market(deployed: Market) -> Iterator[Market]:
    """The market of this file; what a test does to it is undone."""
    with rolled_back(deployed.chain):
        yield deployed
