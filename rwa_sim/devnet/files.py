"""The configuration files and keystores of a run, as a person would write them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from oracles.adapters.mqtt import BrokerAddress
from oracles.devices.broker import free_port
from oracles.keys import SecretKey
from oracles.node.keystore import write_keystore
from rwa_sim.chain.deploy import Deal
from rwa_sim.chain.signing import derive_account
from rwa_sim.devnet.plan import (
    ACCOUNT,
    ASSET,
    CHARGER,
    CHARGER_W,
    DAY_S,
    FAULTS,
    HOUR_S,
    INTERVAL_S,
    INVERTER,
    INVERTER_PERMILLE,
    METER,
    METER_PERMILLE,
    NAMEPLATE_W,
    NODES,
    PATIENCE_S,
    QUORUM,
    REPORT_DELAY_S,
    START_S,
    DevnetPlan,
)
from rwa_sim.devnet.truth import profile_path

PASSWORD_ENV = "RWA_SIM_DEVNET_PASSWORD"  # noqa: S105  the name of a variable, not a password
BROKER_PASSWORD_ENV = "RWA_SIM_DEVNET_BROKER_PASSWORD"  # noqa: S105  likewise
WORK_FACTOR = 2**12  # of keys that the seed gives away anyhow; real ones take the library's own
CLOCK = "clock"
LAG_S = 6 * HOUR_S  # the clock runs thousands of times too fast: a second of work is an hour of lag
LEAST_BPS = 5_000  # and a gateway that is away for two seconds misses an inverter's half day
LABELS = {
    **{f"node-{number}": f"oracle-{number}" for number in range(1, NODES + 1)},
    "aggregator": "aggregator",
    "relay": "relay",
    "on-ramp": "on-ramp",
    "gateway": "gateway",
    "site": "site meter",
    "charger": "charger",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback ports of a run."""

    nodes: tuple[int, ...]
    aggregator: int
    relay: int
    inverter: int
    ocpp: int

    @classmethod
    def free(cls) -> Ports:
        """Ports that nobody listens on now."""
        found: list[int] = []
        while len(found) < NODES + 4:
            port = free_port()
            if port not in found:
                found.append(port)
        return cls(
            nodes=tuple(found[:NODES]),
            aggregator=found[NODES],
            relay=found[NODES + 1],
            inverter=found[NODES + 2],
            ocpp=found[NODES + 3],
        )


def key_of_label(plan: DevnetPlan, name: str) -> SecretKey:
    """The simulated key of a process, from the seed."""
    return SecretKey(derive_account(plan.seed, LABELS[name]).key)


def write_keys(plan: DevnetPlan) -> str:
    """A keystore for every process; gives their password, which is in no file."""
    password = secrets.token_hex(16)
    for name, label in LABELS.items():
        key = derive_account(plan.seed, label).key
        write_keystore(plan.folder / "keys" / f"{name}.json", key, password, work_factor=WORK_FACTOR)
    return password


def write_configs(
    plan: DevnetPlan,
    deal: Deal,
    ports: Ports,
    *,
    broker: BrokerAddress,
    chain_url: str,
    holders: Iterable[str],
) -> None:
    """One TOML file for each process."""
    clock = f'[clock]\nstart = {_time(START_S - HOUR_S)}\nfile = "{CLOCK}"\nspeed = {plan.speed}\n'
    mqtt = f"[mqtt]\nport = {broker.port}\n"
    if broker.username is not None:
        mqtt += f'username = "{broker.username}"\npassword_env = "{BROKER_PASSWORD_ENV}"\n'
    feed = _feed(plan, deal)
    periods = (
        f"[periods]\nfirst = {_time(START_S)}\nlength_s = {DAY_S}\ncount = {plan.days}\n"
        f"report_delay_s = {REPORT_DELAY_S}\n"
    )
    aggregator = key_of_label(plan, "aggregator").address
    for number, port in enumerate(ports.nodes, start=1):
        name = f"node-{number}"
        _write(
            plan.folder / f"{name}.toml",
            f'data = "data/{name}"\nport = {port}\naggregators = ["{aggregator}"]\n',
            _key("key", name), feed, periods, clock, mqtt,
            f"[guard]\nmost_lag_s = {LAG_S}\nleast_completeness_bps = {LEAST_BPS}\n",
            f'[bank]\nfolder = "bank"\naccount = "{ACCOUNT}"\n',
            *_meters(plan),
        )  # fmt: skip
    peers = "".join(
        f'[[nodes]]\naddress = "{key_of_label(plan, f"node-{number}").address}"\nurl = "http://127.0.0.1:{port}"\n'
        for number, port in enumerate(ports.nodes, start=1)
    )
    relay = key_of_label(plan, "relay").address
    _write(
        plan.folder / "aggregator.toml",
        f'data = "data/aggregator"\nport = {ports.aggregator}\nrelays = ["{relay}"]\npatience_s = {PATIENCE_S}\n',
        _key("key", "aggregator"), feed, periods, clock, peers,
    )  # fmt: skip
    chain = (
        f'[chain]\nurl = "{chain_url}"\nchain_id = {deal.feed.engine.chain_id}\nfeed = "{deal.feed.address}"\n'
        f'waterfall = "{deal.waterfall.address}"\ncash = "{deal.cash.address}"\n'
        f"distributors = {_list(entry.distributor.address for entry in deal.classes)}\nholders = {_list(holders)}\n"
    )
    _write(
        plan.folder / "relay.toml",
        f'data = "data/relay"\nport = {ports.relay}\nasset = "{ASSET}"\n'
        f'aggregator = "http://127.0.0.1:{ports.aggregator}"\n',
        _key("key", "relay"), _key("on_ramp", "on-ramp"), chain, clock,
        f'[bank]\nfolder = "bank"\naccount = "{ACCOUNT}"\n',
    )  # fmt: skip
    ocmf = key_of_label(plan, "charger").public_key.hex()
    _write(
        plan.folder / "gateway.toml",
        f'data = "data/gateway"\nocpp_port = {ports.ocpp}\n',
        _key("key", "gateway"), clock, mqtt,
        f'[[inverters]]\nmeter = "{INVERTER}"\nport = {ports.inverter}\ninterval_s = {INTERVAL_S}\n',
        f'[[stations]]\nmeter = "{CHARGER}"\nname = "{CHARGER}"\nocmf_key = "{ocmf}"\n',
    )  # fmt: skip
    _write(
        plan.folder / "site.toml",
        f'data = "data/site"\nprofile = "{profile_path().resolve()}"\nstart = {_time(START_S)}\n'
        f"until = {_time(plan.end_s)}\ninterval_s = {INTERVAL_S}\n",
        _key("key", "site"), clock, mqtt,
        f'[meter]\nmeter = "{METER}"\npermille = {METER_PERMILLE}\n',
        f'[inverter]\nmeter = "{INVERTER}"\npermille = {INVERTER_PERMILLE}\nport = {ports.inverter}\n',
        f'[charger]\nname = "{CHARGER}"\nport = {ports.ocpp}\npower_w = {CHARGER_W}\n', _key("charger.key", "charger"),
    )  # fmt: skip


def _feed(plan: DevnetPlan, deal: Deal) -> str:
    signers = [key_of_label(plan, f"node-{number}").address for number in range(1, NODES + 1)]
    return (
        f'[feed]\nchain_id = {deal.feed.engine.chain_id}\ncontract = "{deal.feed.address}"\nasset = "{ASSET}"\n'
        f"signers = {_list(signers)}\nfault_tolerance = {FAULTS}\nquorum = {QUORUM}\n"
    )


def _meters(plan: DevnetPlan) -> list[str]:
    keys = {METER: "site", INVERTER: "gateway", CHARGER: "charger"}
    extra = {CHARGER: f'obis = "1.8.0"\nocmf_serial = "{CHARGER}"\n'}
    return [
        f'[[meters]]\nid = "{meter}"\npublic_key = "{key_of_label(plan, name).public_key.hex()}"\n'
        f"nameplate_w = {NAMEPLATE_W[meter]}\ninterval_s = {INTERVAL_S}\ncommissioned = {_time(START_S)}\n"
        + extra.get(meter, "")
        for meter, name in keys.items()
    ]


def _key(section: str, name: str) -> str:
    return f'[{section}]\nkeystore = "keys/{name}.json"\npassword_env = "{PASSWORD_ENV}"\n'


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"


def _time(instant_s: int) -> str:
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(path: Path, *parts: str) -> None:
    path.write_text("\n".join(parts), "utf-8")
