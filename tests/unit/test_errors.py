"""Errors cross processes whole.

RwaError
└── pickled and read again    the same kind, text and values, for every leaf that takes keywords
"""

from __future__ import annotations

import pickle

import pytest

from rwa_sim.errors import CalendarYearMissing, InputError, OutputUnwritable, Reverted, UnknownName


@pytest.mark.parametrize(
    "error",
    [
        InputError(where="a.toml", key="b", expected="c", got="d"),
        UnknownName(where="a", key="b", got="c", known=("x", "y")),
        CalendarYearMissing(calendar="HK", year=2050, first_year=2004, last_year=2026),
        OutputUnwritable(path="out", reason="No space left on device"),
        Reverted("WrongStatus", {"id": b"\x01", "actual": 2}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_on_the_other_side_of_a_process(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert type(again) is type(error)
    assert (str(again), vars(again), again.exit_code) == (str(error), vars(error), error.exit_code)
