"""Shared fixtures: the measured series, engines, golden files, and `reverts`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from rwa_sim.chain.anvil import AnvilEngine, find_anvil
from rwa_sim.chain.engine import Engine
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.errors import Reverted

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"

# Shrinking a failing state machine takes minutes: the profile reports the first failure as it is.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("RWA_SIM_SOAK"):
        return
    skip = pytest.mark.skip(reason="long campaign: make soak")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of measured series; the test is skipped where it is absent."""
    folder = Path(os.environ.get("RWA_SIM_DATA", ROOT / "../shared/data"))
    if not folder.is_dir():
        pytest.skip("measured series not found: set RWA_SIM_DATA or put them at ../shared/data")
    return folder.resolve()


@pytest.fixture
def chain() -> Iterator[Engine]:
    """A fresh tester engine."""
    with TesterEngine(seed=1) as engine:
        yield engine


@pytest.fixture
def anvil() -> Iterator[Engine]:
    """A fresh Anvil engine; skipped where there is no binary."""
    if find_anvil() is None:
        pytest.skip("no anvil binary: install it or run make setup")
    with AnvilEngine(seed=1) as engine:
        yield engine


@pytest.fixture
def revm() -> Iterator[Engine]:
    """A fresh revm engine; skipped where pyrevm is not installed."""
    pytest.importorskip("pyrevm")
    with RevmEngine(seed=1) as engine:
        yield engine


@contextmanager
def reverts(error: str, **fields: Any) -> Iterator[None]:
    """The block must be refused with this custom error and these fields (addresses in any case)."""
    with pytest.raises(Reverted) as caught:
        yield
    assert caught.value.error == error, str(caught.value)
    for name, expected in fields.items():
        actual = caught.value.fields[name]
        if isinstance(actual, str) and isinstance(expected, str):
            actual, expected = actual.lower(), expected.lower()
        assert actual == expected, f"{error}.{name}: expected {expected}, got {actual}"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Compare JSON content with a reviewed file; `--update-golden` rewrites it."""

    def compare(name: str, content: Any) -> None:
        path = GOLDEN / name
        text = json.dumps(content, indent=2, sort_keys=True) + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.is_file(), f"{path.name} is missing: pytest --update-golden"
        assert json.loads(path.read_text("utf-8")) == json.loads(text), f"{path.name} differs"

    return compare
