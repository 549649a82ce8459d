"""Compiled OCPP schemas, and the short way of a message through the session

CompiledValidator
├── a payload of any action and version, whole or with one thing wrong   the library's verdict
├── a wrong payload                                                      the library's error
├── formats and defaults                                                 not looked at, not filled in
└── decimals of 1.6                                                      the library's own validator
route_message
├── any message, valid or not       the answer and the counts of the library's own way
└── a handler that fails            the library's error
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections import Counter
from decimal import Decimal
from pathlib import Path

import oracle_kit as kit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle_kit import T0

from oracles.adapters import ocpp_201
from oracles.adapters.ocpp_meter import ConnectorMeter, RegisterPolicy
from oracles.adapters.ocpp_schema import CompiledValidator, compile_schemas
from oracles.adapters.ocpp_station import Station, at_once

messages = pytest.importorskip("ocpp.messages", reason="extra ocpp is not installed")
charge_point = pytest.importorskip("ocpp.charge_point")
pytest.importorskip("fastjsonschema")
from jsonschema import Draft4Validator, ValidationError  # noqa: E402

FOLDER = Path(messages.__file__).parent
SCHEMAS = sorted([*FOLDER.glob("v201/schemas/*.json"), *FOLDER.glob("v16/schemas/*.json")])
CHOICES = {"string": "a", "integer": 1, "number": 1.5, "boolean": True, "object": {}, "array": []}
WRONG = [None, -1, 1.5, 1.0, True, "", "x" * 60, "x" * 20_000, [], {}, [1], {"customData": 1}, 10**30]


def sample(schema, root, whole=True):
    """A payload that the schema accepts: with all of its fields, or the required ones only."""
    if "$ref" in schema:
        return sample(root["definitions"][schema["$ref"].rpartition("/")[2]], root, whole)
    if "enum" in schema:
        return schema["enum"][-1]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        wanted = schema.get("properties", {}) if whole else schema.get("required", ())
        return {key: sample(schema["properties"][key], root, whole) for key in wanted}
    if kind == "array":
        return [sample(schema["items"], root, whole)] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    return CHOICES[kind]


def places(value, at=()):
    """Where something stands in a payload."""
    yield at
    for key, each in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(each, (*at, key))


def spoiled(payload, at, how):
    """The payload with what stands there taken out, or another thing put in its place."""
    changed = copy.deepcopy(payload)
    if not at:
        return how if how is not Ellipsis else {}
    holder = changed
    for key in at[:-1]:
        holder = holder[key]
    if how is Ellipsis:
        del holder[at[-1]]
    elif how == "more":
        holder[at[-1]] = [holder[at[-1]]] * 2 if not isinstance(holder, dict) else holder[at[-1]]
        if isinstance(holder, dict):
            holder["somethingElse"] = 1
    else:
        holder[at[-1]] = how
    return changed


def verdict(validate, payload):
    try:
        validate(payload)
    except ValidationError as error:
        return error.message, error.validator, list(error.absolute_path)
    return None


def quick_verdict(validator, payload):
    try:
        validator._quick(payload)
    except validator._refused:
        return False
    return True


@pytest.fixture(scope="module")
def validators():
    loaded = {}
    for path in SCHEMAS:
        exact = Draft4Validator(json.loads(path.read_text("utf-8-sig")))
        loaded[f"{path.parent.parent.name}/{path.stem}"] = (exact, CompiledValidator(exact))
    return loaded


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "required"])
def test_each_schema_accepts_its_sample_and_judges_each_spoiled_field_alike(validators, whole):
    accepted = refused = 0
    for name, (exact, compiled) in validators.items():
        payload = sample(exact.schema, exact.schema, whole)
        spots = list(places(payload))
        cases = [payload] + [
            spoiled(payload, at, how) for at in spots[:40] for how in (..., "more", *WRONG[:8])
        ]
        for case in cases:
            expected = exact.is_valid(case)
            assert quick_verdict(compiled, case) == expected, (name, case)
            accepted, refused = accepted + expected, refused + (not expected)
    assert accepted > 500
    assert refused > 500


TRANSACTION = {
    "eventType": "Started",
    "timestamp": "2026-01-01T00:00:00Z",
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 1,
    "transactionInfo": {"transactionId": "tx"},
    "evse": {"id": 1, "connectorId": 1},
    "meterValue": [
        {
            "timestamp": "2026-01-01T00:15:00Z",
            "sampledValue": [{"value": 5000, "unitOfMeasure": {"unit": "Wh", "multiplier": 0}}],
        }
    ],
}
SPOTS = list(places(TRANSACTION))
SPOILS = st.one_of(
    st.just(...), st.just("more"), st.sampled_from(WRONG), st.text(max_size=40), st.integers(), st.floats()
)


@given(st.lists(st.tuples(st.sampled_from(SPOTS[1:]), SPOILS), max_size=2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spoiled_transaction_gets_the_librarys_error(validators, spoils):
    exact, compiled = validators["v201/TransactionEventRequest"]
    payload = TRANSACTION
    for at, how in spoils:
        try:
            payload = spoiled(payload, at, how)
        except (KeyError, TypeError, IndexError):
            continue

    assert verdict(compiled.validate, payload) == verdict(exact.validate, payload)


def test_formats_are_not_looked_at_and_defaults_not_filled_in(validators):
    exact, compiled = validators["v201/TransactionEventRequest"]
    payload = {**copy.deepcopy(TRANSACTION), "timestamp": "yesterday"}
    before = copy.deepcopy(payload)

    compiled.validate(payload)

    assert exact.is_valid(payload)
    assert payload == before


def test_the_library_uses_them_except_for_decimals():
    compile_schemas()

    assert isinstance(messages.get_validator(2, "TransactionEvent", "2.0.1"), CompiledValidator)
    decimals = messages.get_validator(2, "SetChargingProfile", "1.6", parse_float=Decimal)
    assert isinstance(decimals, Draft4Validator)
    with pytest.raises(OSError, match="Nothing"):
        messages.get_validator(2, "Nothing", "2.0.1")


class Socket:
    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)


def told(raws, *, short: bool, keep=None):
    """What a session answers to these messages, what it counted and what it kept."""
    compile_schemas()
    messages.ASYNC_VALIDATION = False
    kept, counts, socket = [], Counter(), Socket()
    meter = ConnectorMeter(kit.device(), policy=RegisterPolicy.LIFETIME, clock=lambda: T0)
    session = ocpp_201.session_class()(
        "cp-1",
        socket,
        station=Station(connectors={1: meter}),
        keep=keep or kept.append,
        settled=at_once,
        clock=lambda: T0,
        counts=counts,
    )
    session.logger = logging.getLogger("oracles.ocpp")
    route = session.route_message if short else super(type(session), session).route_message

    async def run():
        for raw in raws:
            await route(raw)

    asyncio.run(run())
    return [json.loads(text) for text in socket.sent], counts, meter.counts, kept


METER_VALUES = {"evseId": 1, "meterValue": TRANSACTION["meterValue"]}
CALLS = st.one_of(
    st.tuples(st.sampled_from(SPOTS[1:]), SPOILS).map(
        lambda each: ["TransactionEvent", spoiled(TRANSACTION, *each)]
    ),
    st.just(["TransactionEvent", TRANSACTION]),
    st.just(["MeterValues", METER_VALUES]),
    st.sampled_from(
        [["Heartbeat", {}], ["Nothing", {}], ["MeterValues", {}], ["MeterValues", []], ["DataTransfer", {}]]
    ),
)
RAWS = st.one_of(
    st.tuples(CALLS, st.sampled_from(["1", "é", 7, None])).map(
        lambda each: json.dumps([2, each[1], *each[0]])
    ),
    st.sampled_from(
        ["", "{}", "[2]", "[]", "[3,1,{}]", '[2,"1","TransactionEvent"]', '[4,"1","a","b",{}]', "[9,1,{}]"]
    ),
)


@given(st.lists(RAWS, max_size=4))
@settings(deadline=None, max_examples=150)
def test_the_short_way_answers_and_counts_as_the_long_one(raws):
    logging.getLogger("oracles.ocpp").setLevel(logging.CRITICAL)

    assert told(raws, short=True) == told(raws, short=False)


def test_a_handler_that_fails_is_the_librarys_error_on_the_short_way():
    def keep(reading):
        raise OSError("disk full")

    raw = json.dumps([2, "1", "TransactionEvent", TRANSACTION])

    answers = [told([raw], short=short, keep=keep) for short in (True, False)]

    assert answers[0] == answers[1]
    assert answers[0][0][0][:3] == [4, "1", "InternalError"]


NAMES = st.one_of(
    st.sampled_from(["ocppCSMSURL", "V2XChargingCtrlr", "stateOfChargeV2G", "SoC", "evseId", "aB1Cd", ""]),
    st.text("abcABC12VXG_", max_size=12),
)


@given(st.recursive(st.integers(), lambda each: st.lists(each) | st.dictionaries(NAMES, each), max_leaves=12))
def test_names_are_the_librarys(value):
    assert ocpp_201.snake_case(value) == charge_point.camel_to_snake_case(value)
