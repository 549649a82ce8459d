"""Market profiles: every value with its mark, and values that fit together

profiles
├── every value        carries mark and source; the old dates in the right order
├── a faulty one       is refused by key
├── clocks             that cannot be kept are refused in words
├── p_fail             below the share matched late is refused
└── unknown            is refused with the known ones
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from rwa_sim.errors import InputError, UnknownName
from rwa_sim.rails.market_profile import PROFILES, load_profile, read_profile
from rwa_sim.rails.sourced import MARKS

NAMES = ("CIBM-T0", "EU-T1-2027", "EU-T2-T2S", "US-T1-DTC", "legacy-T3", "rival-T0", "rival-T1")
EU = (PROFILES / "EU-T2-T2S.toml").read_text("utf-8")


def test_the_profiles_that_ship_are_these():
    assert tuple(sorted(path.stem for path in PROFILES.glob("*.toml"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_every_profile_carries_mark_and_source(name):
    profile = load_profile(name)
    rows = profile.assumptions()

    assert profile.name == name
    assert len(rows) == 47
    assert all(mark in MARKS and len(source) > 3 for _, _, mark, source in rows)
    dates = [step.from_ for step in profile.settle_lag_bd.value]
    assert dates == sorted(dates)


def refused(tmp_path, old, new) -> InputError:
    path = tmp_path / "mine.toml"
    path.write_text(EU.replace(old, new), "utf-8")
    assert path.read_text("utf-8") != EU
    with pytest.raises(InputError) as caught:
        read_profile(path)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('mark = "R"', 'mark = "X"', "mark"),
        ('value = "0.95"', 'value = "1.95"', "p_affirm_same_day"),
        ('value = "0.95"\nmark = "R"', 'value = "0.95"', "p_affirm_same_day.mark"),
        ("[p_fail]", "[p_fial]", "p_fail"),
        ('value = "05:00-16:00"', 'value = "05:00-99:00"', "day_cycle"),
        ("[dvp_model]\nvalue = 1", "[dvp_model]\nvalue = 4", "dvp_model"),
        ('[netting]\nvalue = "none"', '[netting]\nvalue = "some"', "netting"),
        ('"14:00", "15:30"', '"14:00", "25:30"', "partial_windows"),
    ],
)
def test_a_faulty_profile_is_refused_by_key(tmp_path, old, new, key):
    assert key in refused(tmp_path, old, new).key


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('value = "17:30"', 'value = "23:30"', "affirm_cutoff"),
        ('value = "18:00"', 'value = "15:00"', "day_cycle"),
        ("value = 1 }]", "value = 0 }]", "the lag may be 0"),
        ('[netting_at]\nvalue = "08:00"', '[netting_at]\nvalue = "17:00"', "netting_at"),
        ('"14:00", "15:30"', '"14:00", "16:30"', "partial_windows"),
        ("[dvp_model]\nvalue = 1", "[dvp_model]\nvalue = 2", "no `partial_windows`"),
        ('value = "0.90"', 'value = "0.00"', "p_matched_before_sd"),
        ('value = "0.90"', 'value = "0.80"', "`p_fail` at least 0.040000"),
    ],
)
def test_values_that_do_not_fit_together_are_refused_in_words(tmp_path, old, new, words):
    assert words in str(refused(tmp_path, old, new))


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(UnknownName, match=", ".join(NAMES)):
        load_profile("nowhere")


def test_worked_magnitudes_of_the_reference():
    """A million failing one day costs twenty; a delivery on T2S costs 0.47."""
    profile = load_profile("EU-T2-T2S")

    assert Fraction(10**12) * profile.penalty_rate == 20 * 10**6
    assert profile.fee_usd6 == 470_000


@pytest.mark.parametrize(
    ("name", "share"), [("EU-T2-T2S", "0.01"), ("rival-T0", "0.014"), ("CIBM-T0", "0.01")]
)
def test_the_share_matched_late_is_that_of_the_life_cycle(name, share):
    profile = load_profile(name)
    lag_bd = profile.settle_lag_bd.value[0].value

    assert profile.late_matching_share(lag_bd) == Fraction(share)
