"""`rwa-sim oracle read`: files of the outside world on the command line

camt
├── a statement told twice, in two messages    each booking once
├── sums that do not hold                      shown, exit code 1
└── the bank samples                           the README's traps
sessions, hourly, series
├── small files                                exact totals
├── the measured files                         the READMEs' totals to the last unit
└── input that cannot be read                  one line, exit code 2
ocmf
├── signed records                             registers and signatures
└── one bit changed                            exit code 1
"""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from oracles.devices.trust_account import Statement, StatementLine, to_camt053
from oracles.keys import SecretKey
from oracles.ocmf_keys import sign_record
from rwa_sim.cli import app
from rwa_sim.errors import InputError, ResultFailed
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import T0

NORDIC = (
    "--session-id", "session_ID", "--user-id", "User_ID", "--start", "Start_plugin", "--end", "End_plugout",
    "--energy", "El_kWh", "--time-format", "%d.%m.%Y %H:%M", "--zone", "Europe/Oslo", "--delimiter", ";",
    "--decimal-mark", ",",
)  # fmt: skip


def read(*arguments):
    """(found, error) of a command."""
    done = CliRunner().invoke(app, ["oracle", "read", *map(str, arguments), "--json"])
    return json.loads(done.stdout or "null"), done.exception


def statement(number: int, *cents: int, opening: int = 0, message: str = "") -> bytes:
    lines = tuple(
        StatementLine(reference=f"R{number}.{n}", amount_minor=each, booked_at_s=T0)
        for n, each in enumerate(cents)
    )
    return to_camt053(
        Statement(
            account="DE02120300000000202051",
            currency="EUR",
            sequence=number,
            created_at_s=T0,
            opening_minor=opening,
            lines=lines,
            message=message,
        )
    )


def test_camt_counts_each_booking_once_over_messages(tmp_path):
    for name, content in (
        ("1", statement(1, 100, 250)),
        ("1 again", statement(1, 100, 250, message="again")),
        ("3", statement(3, 7, opening=350)),
    ):
        (tmp_path / name).write_bytes(content)

    found, error = read("camt", *sorted(tmp_path.iterdir()))

    assert error is None
    assert (found["bookings"], found["delivered_again"], found["conflicts"]) == (3, 1, 0)
    assert found["income_minor"] == {"DE02120300000000202051 EUR": 357}
    assert [(gap["first"], gap["last"]) for gap in found["gaps"]] == [(2, 2)]
    assert all(each["balance_holds"] for each in found["statements"])


def test_camt_that_contradicts_itself_is_shown_and_fails(tmp_path):
    path = tmp_path / "1.xml"
    path.write_bytes(statement(1, 100).replace(b">1.00<", b">1.01<", 1))

    found, error = read("camt", path)

    assert isinstance(error, ResultFailed)
    assert "balance stated" in str(error)
    assert found["statements"][0]["balance_holds"] is False


@pytest.mark.data
def test_camt_samples_carry_the_traps_of_their_readme(data_dir):
    folder = data_dir / "bank_camt"
    found, _ = read("camt", folder / "genkgo_camt053.v8.xml")
    assert found["income_minor"] == {"NL26VAYB8060476890 EUR": 885}, (
        "the entry's amount, not its detail's 0 SEK"
    )
    found, _ = read("camt", folder / "gs_camt053_001_02.xml")
    assert found["bookings"] == 15
    assert found["income_minor"]["DD01100056869 USD"] == 7_000, "a reversal marked CRDT is no income"
    found, _ = read("camt", folder / "genkgo_camt054.v8.xml")
    assert found["statements"][0]["booked_minor"] == {"SEK debit": 20_000_000}, (
        "one batch entry, not its three details"
    )


@pytest.mark.data
def test_sessions_of_trondheim(data_dir):
    path = data_dir / "ev_trondheim_residential" / "Dataset 1_EV charging reports.csv"

    found, error = read("sessions", path, *NORDIC)

    assert error is None
    assert (found["session_count"], found["user_count"], found["energy_wh"]) == (6_878, 97, 87_493_280)
    assert (found["no_end_count"], found["same_start_count"], found["overlap_count"]) == (34, 10, 18)


@pytest.mark.data
def test_volumes_at_prices_of_shenzhen(data_dir):
    folder = data_dir / "ev_shenzhen_urbanev"

    found, error = read(
        "hourly", folder / "volume.csv", "--time-column", "time", "--time-format", "%Y/%m/%d %H:%M",
        "--zone", "Asia/Shanghai", "--prices", folder / "e_price.csv", "--prices", folder / "s_price.csv",
    )  # fmt: skip

    assert error is None
    assert (found["rows"], found["columns"], found["gaps"], found["negative"]) == (4_344, 10, 0, 0)
    assert found["revenue_total"].startswith("6498972.914408563856690393518518542427")
    assert round(float(found["revenue"]["s_price.csv"])) == 2_917_530


@pytest.mark.data
def test_prices_of_smard(data_dir):
    path = data_dir / "price_smard_2022" / "Handelspreise_per_hour.csv"

    found, error = read(
        "hourly", path, "--time-column", "Date", "--time-column", "Start", "--ignore", "End", "--column",
        "Deutschland", "--time-format", "%d.%m.%Y %H:%M", "--zone", "Europe/Berlin", "--delimiter", ";",
        "--decimal-mark", ",",
    )  # fmt: skip

    assert error is None
    assert (found["rows"], found["gaps"], found["doubled_hours"]) == (8_256, 0, 2)
    assert found["negative_by_column"] == {"Deutschland": 40}


@pytest.mark.data
def test_the_measured_power_series(data_dir):
    path = data_dir / "pv_nrel_serf_east" / "system_50_ac_power_15min.csv.gz"
    arguments = (
        "series", path, "--time-column", "measured_on", "--value-column", "ac_power_2", "--kind", "power",
        "--interval-s", "900", "--nameplate-w", "6000", "--clock", "dst_follows:America/Denver", "--unit",
    )  # fmt: skip

    found, error = read(*arguments, "W")
    assert error is None
    assert (found["row_count"], found["over_nameplate_count"]) == (95_232, 0)

    _, error = read(*arguments, "kW")
    assert isinstance(error, InputError), "watts under a label of kilowatts are refused"


def test_hourly_revenue_is_exact(tmp_path):
    (tmp_path / "volume.csv").write_text("time,a,b\n2026-01-01 00:00,0.1,3\n2026-01-01 01:00,0.2,\n")
    (tmp_path / "price.csv").write_text("time,a,b\n2026-01-01 00:00,-0.3,1e-30\n2026-01-01 01:00,7,9\n")

    found, error = read(
        "hourly", tmp_path / "volume.csv", "--time-column", "time", "--time-format", "%Y-%m-%d %H:%M",
        "--zone", "UTC", "--prices", tmp_path / "price.csv",
    )  # fmt: skip

    assert error is None
    assert found["total"] == {"a": "0.3", "b": "3"}
    assert found["revenue_total"] == "1.370000000000000000000000000003"
    assert found["empty"] == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("camt", "none.xml"), "none.xml"),
        (("sessions", "none.csv", *NORDIC), "none.csv"),
        (("sessions", "x", *NORDIC[:-1], ";;"), "--decimal-mark: expected one character"),
        (("ocmf", "none", "--key", "00"), "none"),
        (("ocmf", __file__, "--key", "no hex"), "--key: expected a public key in hex"),
    ],
)
def test_input_that_cannot_be_read_is_one_line(arguments, expected):
    found, error = read(*arguments)

    assert found is None
    assert isinstance(error, InputError)
    assert expected in str(error)
    assert "\n" not in str(error)


def test_ocmf_records_with_and_without_a_good_signature(tmp_path):
    key = SecretKey(kit.key("charger"))
    payloads = [
        f'{{"FV":"1.0","PG":"T{page}","MS":"CP-1","RD":[{{"TM":"2026-01-01T0{page}:00:00,000+0000 S","TX":"C",'
        f'"RV":{page}.500,"RI":"1-b:1.8.0","RU":"kWh","ST":"G"}}]}}'
        for page in (1, 3)
    ]
    lines = [sign_record(payload.encode(), key) for payload in payloads]
    (tmp_path / "good").write_bytes(b"\n".join(lines))
    (tmp_path / "bad").write_bytes(b"\n".join([lines[0], lines[1].replace(b"3.500", b"3.501")]))

    found, error = read("ocmf", tmp_path / "good", "--key", key.public_key.hex())
    assert error is None
    assert [each["readings"][0]["register_wh"] for each in found["records"]] == [1_500, 3_500]
    assert found["missing_pages"] == [["T", 2, 2]]

    found, error = read("ocmf", tmp_path / "bad", "--key", key.public_key.hex())
    assert isinstance(error, ResultFailed)
    assert [each["signed"] for each in found["records"]] == [True, False]
