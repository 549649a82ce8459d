"""SunSpec words

register_wh_down
├── value and scale of one request     exact Wh, rounded down
├── another scale, none, another model, too few words    refused
└── any words                          a register or MalformedReading
energy_point                           model and register, or the known ones
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.adapters.sunspec import energy_point, register_wh_down
from oracles.devices.sunspec_device import SunSpecDevice
from rwa_sim.errors import MalformedReading, UnknownName


def model_words(register_wh, *, model=103, scale=0, obis="2.8.0"):
    device = SunSpecDevice(
        clock=lambda: 0, register_wh=lambda _: register_wh, model=model, scale=scale, obis=obis
    )
    return device.words()[2 + 68 :]


@pytest.mark.parametrize("model", [101, 102, 103, 201, 202, 203, 204])
@pytest.mark.parametrize("scale", [0, 1, 3, -2])
def test_value_and_scale_are_exact(model, scale):
    words = model_words(5_000_000, model=model, scale=scale)
    assert register_wh_down(words, model, energy_point(model, "2.8.0"), scale) == 5_000_000


def test_import_register_of_a_meter():
    words = model_words(77, model=203, obis="1.8.0")
    assert register_wh_down(words, 203, energy_point(203, "1.8.0"), 0) == 77
    assert register_wh_down(words, 203, energy_point(203, "2.8.0"), 0) == 0


@pytest.mark.parametrize(
    ("words", "scale", "says"),
    [
        (model_words(5, scale=3), 0, "scale factor: expected 0, got 3"),
        (model_words(5), -1, "scale factor: expected -1, got 0"),
        ([*model_words(5)[:26], 0x8000], 0, "scale factor: expected 0, got -32768"),
        ([*model_words(5)[:26], 11], 11, "scale factor: expected 11"),
        (model_words(5)[:26], 0, "model: expected model 103"),
        ([102, *model_words(5)[1:]], 0, "model: expected model 103, got 102"),
        ([], 0, "model: expected model 103, got nothing"),
    ],
)
def test_refused(words, scale, says):
    with pytest.raises(MalformedReading, match=says):
        register_wh_down(words, 103, energy_point(103, "2.8.0"), scale)


def test_unknown_models_are_named():
    with pytest.raises(UnknownName, match=r"model: expected one of 101 2\.8\.0.*, got '103 1\.8\.0'"):
        energy_point(103, "1.8.0")


@given(st.lists(st.integers(0, 0xFFFF), max_size=30), st.integers(-12, 12))
def test_any_words(words, scale):
    for tail in (words, [103, 50, *words, *[0] * 30]):
        try:
            assert register_wh_down(tail, 103, energy_point(103, "2.8.0"), scale) >= 0
        except MalformedReading:
            continue


@given(st.integers(0, 2**32 - 1), st.integers(-10, 10))
def test_any_count_and_scale_is_rounded_down_exactly(count, scale):
    point = energy_point(103, "2.8.0")
    words = [103, *(0,) * (point.word_count - 1)]
    words[point.energy : point.energy + 2] = [count >> 16, count & 0xFFFF]
    words[point.scale] = scale & 0xFFFF

    assert register_wh_down(words, 103, point, scale) == int(Fraction(count) * Fraction(10) ** scale)
