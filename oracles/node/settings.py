"""Configuration files of oracle processes: TOML, checked key by key before anything starts.

Paths are relative to the file. Secrets are never in it: it names a keystore and the environment variable
of its password, or the variable of a key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from oracles.adapters.mqtt_intake import DEFAULT_PREFIX
from oracles.config import FeedConfig, asset_id_of
from oracles.guard import LEAST_COMPLETENESS_BPS, MOST_CLOCK_LAG_S, MOST_SPREAD_BPS, PeriodGuard
from oracles.keys import SecretKey
from oracles.network import DEFAULT_TTL_S
from oracles.node.clock import SimulatedClock, real_clock
from oracles.node.keystore import load_key
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from rwa_sim.documents import Amount, Section, read_document
from rwa_sim.errors import DataMissing, InputError

Settings = TypeVar("Settings", bound=Section)
MAX_PERIODS = 40_000
MAX_METERS = 20_000


def _address(text: str) -> str:
    from eth_utils.address import is_address, to_checksum_address

    if not is_address(text):
        raise ValueError("an Ethereum address")
    return str(to_checksum_address(text))


def _hex_bytes(text: str) -> str:
    bytes.fromhex(text)
    return text


Address = Annotated[str, Field(max_length=42), AfterValidator(_address)]
Hex = Annotated[str, Field(max_length=130), AfterValidator(_hex_bytes)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[int, Field(ge=0, le=366 * 86_400)]
Text = Annotated[str, Field(min_length=1, max_length=256)]
EnvName = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class KeySection(Section):
    """Where the process's key is."""

    keystore: Annotated[str, Field(max_length=1024)] = ""
    password_env: EnvName | Literal[""] = ""
    key_env: EnvName | Literal[""] = ""


class ClockSection(Section):
    """The simulated clock; without this section the clock is the real one."""

    start: AwareDatetime
    file: Text
    speed: Annotated[int, Field(ge=1, le=1_000_000)]


class FeedSection(Section):
    """The feed as deployed."""

    chain_id: Annotated[int, Field(gt=0)]
    contract: Address
    asset: Text
    signers: Annotated[list[Address], Field(min_length=1, max_length=31)]
    fault_tolerance: Annotated[int, Field(ge=0, le=10)] = 1
    quorum: Annotated[int, Field(ge=1, le=31)] | None = None
    config_count: Annotated[int, Field(ge=1)] = 1

    def feed_config(self) -> FeedConfig:
        """The feed's configuration."""
        return FeedConfig.create(
            chain_id=self.chain_id,
            feed=self.contract,
            asset_name=self.asset,
            signers=self.signers,
            fault_tolerance=self.fault_tolerance,
            quorum=self.quorum,
            config_count=self.config_count,
        )


class PeriodSection(Section):
    """Reporting periods of one length, back to back."""

    first: AwareDatetime
    length_s: Annotated[int, Field(ge=60, le=366 * 86_400)]
    count: Annotated[int, Field(ge=1, le=MAX_PERIODS)]
    report_delay_s: Seconds = 3_600
    ttl_s: Seconds = DEFAULT_TTL_S

    def schedule(self) -> PeriodSchedule:
        """The periods."""
        first_s = utc_s(self.first)
        return PeriodSchedule(first_s + self.length_s * number for number in range(self.count + 1))


class MeterSection(Section):
    """One meter of the registry."""

    id: Text
    public_key: Hex
    nameplate_w: Annotated[int, Field(gt=0, le=10**12)]
    interval_s: Annotated[int, Field(gt=0, le=86_400)] = 900
    commissioned: AwareDatetime
    initial_register_wh: Annotated[int, Field(ge=0, lt=2**63)] = 0
    obis: Annotated[str, Field(max_length=24)] = "2.8.0"
    width_bits: Annotated[int, Field(ge=1, le=64)] = 63
    exchange_parties: list[Address] = Field(default_factory=list)
    ocmf_serial: Annotated[str, Field(max_length=64)] = ""
    checks: Annotated[str, Field(max_length=64)] = ""

    def spec(self, asset: str) -> MeterSpec:
        """The registry's entry."""
        return MeterSpec(
            meter_id=self.id,
            asset_name=asset,
            public_key=bytes.fromhex(self.public_key),
            nameplate_w=self.nameplate_w,
            interval_s=self.interval_s,
            commissioned_at_s=utc_s(self.commissioned),
            initial_register_wh=self.initial_register_wh,
            obis=self.obis,
            width_bits=self.width_bits,
            exchange_parties=tuple(self.exchange_parties),
            ocmf_serial=self.ocmf_serial,
            checks=self.checks,
        )


class GuardSection(Section):
    """What holds a period."""

    least_completeness_bps: Annotated[int, Field(ge=0, le=10_000)] = LEAST_COMPLETENESS_BPS
    most_lag_s: Annotated[int, Field(ge=1)] = MOST_CLOCK_LAG_S
    most_spread_bps: Annotated[int, Field(ge=0, le=10_000)] = MOST_SPREAD_BPS

    def guard(self) -> PeriodGuard:
        """The rules."""
        return PeriodGuard(
            least_completeness_bps=self.least_completeness_bps,
            most_lag_s=self.most_lag_s,
            most_spread_bps=self.most_spread_bps,
        )


class MqttSection(Section):
    """A broker to listen to."""

    port: Port
    host: Annotated[str, Field(max_length=255)] = "127.0.0.1"
    prefix: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] = DEFAULT_PREFIX
    username: Annotated[str, Field(max_length=128)] = ""
    password_env: EnvName | Literal[""] = ""


class BankSection(Section):
    """A folder in which the bank lays its camt messages."""

    folder: Text
    account: Text


class NodeSettings(Section):
    """One signer node."""

    data: Text
    port: Port
    host: Annotated[str, Field(max_length=255)] = "127.0.0.1"
    aggregators: Annotated[list[Address], Field(min_length=1)]
    operators: list[Address] = Field(default_factory=list)
    key: KeySection
    feed: FeedSection
    periods: PeriodSection
    meters: Annotated[list[MeterSection], Field(min_length=1, max_length=MAX_METERS)]
    guard: GuardSection = GuardSection()
    tariff_usd_per_kwh: Amount | None = None
    clock: ClockSection | None = None
    mqtt: MqttSection | None = None
    bank: BankSection | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> NodeSettings:
        if self.mqtt is None and self.bank is None:
            raise ValueError("a source: a section `mqtt` or `bank`")
        return self

    def registry(self) -> AssetRegistry:
        """The node's meters."""
        return AssetRegistry(meter.spec(self.feed.asset) for meter in self.meters)

    @property
    def tariff(self) -> Fraction | None:
        """What the metered energy is worth, micro-dollars a Wh; None reports what the bank says."""
        return None if self.tariff_usd_per_kwh is None else Fraction(self.tariff_usd_per_kwh) * 1_000

    @property
    def asset_id(self) -> bytes:
        """The asset reported on."""
        return asset_id_of(self.feed.asset)


class PeerSection(Section):
    """A signer node as others reach it."""

    address: Address
    url: Annotated[str, Field(max_length=255, pattern=r"^http://[A-Za-z0-9.:\[\]-]+/?$")]


class AggregatorSettings(Section):
    """The aggregator."""

    data: Text
    port: Port
    host: Annotated[str, Field(max_length=255)] = "127.0.0.1"
    key: KeySection
    feed: FeedSection
    periods: PeriodSection
    nodes: Annotated[list[PeerSection], Field(min_length=1, max_length=31)]
    relays: list[Address] = Field(default_factory=list)
    patience_s: Seconds = 3_600
    clock: ClockSection | None = None


def read_settings(path: Path, model: type[Settings]) -> Settings:
    """A configuration file.

    Raises:
        DataMissing: there is no such file.
        InputError: it cannot be used; names file and key.
    """
    if not path.is_file():
        raise DataMissing(where="configuration", key="--config", path=str(path))
    return read_document(path, model)[0]


def key_of(section: KeySection, path: Path) -> SecretKey:
    """The key that a configuration file names.

    Raises:
        InputError: see `load_key`.
    """
    return load_key(
        where=str(path),
        keystore=path.parent / section.keystore if section.keystore else None,
        password_env=section.password_env,
        key_env=section.key_env,
    )


def clock_of(section: ClockSection | None, path: Path) -> Callable[[], int]:
    """The clock that a configuration file names."""
    if section is None:
        return real_clock
    return SimulatedClock(start_s=utc_s(section.start), speed=section.speed, file=path.parent / section.file)


def utc_s(instant: datetime) -> int:
    """UTC seconds of an aware instant.

    Raises:
        InputError: it has a fraction of a second.
    """
    if instant.microsecond:
        raise InputError(where="configuration", expected="whole seconds", got=instant.isoformat())
    return int(instant.astimezone(UTC).timestamp())
