"""ISO 20022 messages of a run.

messages
├── one of each kind               equals its golden file, byte by byte
├── sese.023                       two a trade, settled or not; cash to the deliverer, from the receiver
├── sese.025                       two a settled trade, none for a failed one; refers to the instruction
├── camt.054
│   ├── collections                one each, whatever the world
│   ├── receipts                   one a holder and payment, in the executed world only
│   └── nothing to notify          parked, zero and less than a cent give none
├── seev.031                       one a coupon; interest a unit; principal in words, if any
│   └── units unknown              no rate is made up
├── hostile names                  stay text: the message is well formed and says them back
├── long names                     fit Max35Text and Max34Text, and two of them stay two
└── same run                       same bytes
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from export_kit import ATOMIC, HOSTILE, LONG, T2S, make_run, read, value

from rwa_sim.exports.write import export_run

GOLDEN = Path(__file__).parents[2] / "golden" / "iso20022"
EXAMPLES = (
    "sese.023/000001-DELI.xml",
    "sese.025/000001-RECE.xml",
    "camt.054/collection-000001.xml",
    "camt.054/coupon-000002.xml",
    "seev.031/000001.xml",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("kit") / "run")


@pytest.fixture(scope="module")
def atomic(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("atomic") / "out"
    export_run(run, out)
    return out


@pytest.fixture(scope="module")
def t2s(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("t2s") / "out"
    export_run(run, out, world=T2S)
    return out


def stems(out: Path, message: str) -> list[str]:
    return sorted(path.stem for path in (out / message).glob("*.xml"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_message_equals_its_golden_file(atomic, example, request):
    golden = GOLDEN / example.replace("/", "-")
    written = (atomic / example).read_bytes()
    if request.config.getoption("--update-golden"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(written)

    assert written == golden.read_bytes(), "pytest --update-golden, and review the difference"


def test_instructions_are_two_a_trade_settled_or_not(atomic, t2s):
    expected = [f"{n:06d}-{side}" for n in (1, 2, 3) for side in ("DELI", "RECE")]

    assert stems(atomic, "sese.023") == stems(t2s, "sese.023") == expected


@pytest.mark.parametrize(("side", "owner", "cash"), [("DELI", "alice", "CRDT"), ("RECE", "bob", "DBIT")])
def test_instruction_says_what_its_side_does(atomic, side, owner, cash):
    path = atomic / "sese.023" / f"000001-{side}.xml"

    assert value(path, ".//SctiesMvmntTp") == side
    assert value(path, ".//QtyAndAcctDtls/AcctOwnr/Id/PrtryId/Id") == owner
    assert value(path, ".//SttlmAmt/CdtDbtInd") == cash
    assert value(path, ".//SttlmAmt/Amt") == "1000.12"
    assert value(path, ".//DlvrgSttlmPties/Pty1/Id/PrtryId/Id") == "alice"
    assert value(path, ".//RcvgSttlmPties/Pty1/Id/PrtryId/Id") == "bob"
    assert value(path, ".//TradDt/Dt/DtTm") == "2026-01-21T12:53:20Z"
    assert value(path, ".//SttlmDt/Dt/DtTm") == "2026-01-21T12:53:50Z"


def test_both_instructions_of_a_trade_match(atomic):
    common = [value(atomic / "sese.023" / f"000002-{side}.xml", ".//CmonId") for side in ("DELI", "RECE")]
    own = [value(atomic / "sese.023" / f"000002-{side}.xml", ".//TxId") for side in ("DELI", "RECE")]

    assert common[0] == common[1]
    assert own[0] != own[1]


def test_confirmations_are_two_a_settled_trade(atomic, t2s):
    assert stems(atomic, "sese.025") == ["000001-DELI", "000001-RECE", "000002-DELI", "000002-RECE"]
    assert len(stems(t2s, "sese.025")) == 6


def test_confirmation_refers_to_its_instruction_and_says_when_it_was_final(atomic):
    instruction = atomic / "sese.023" / "000002-RECE.xml"
    confirmation = atomic / "sese.025" / "000002-RECE.xml"

    assert value(confirmation, ".//AcctOwnrTxId") == value(instruction, ".//TxId")
    assert value(confirmation, ".//FctvSttlmDt/Dt/DtTm") == "2026-01-21T12:54:40Z"
    assert value(confirmation, ".//SttldQty/Qty/Unit") == "7"


def test_collections_are_notified_in_every_world(atomic, t2s):
    assert stems(t2s, "camt.054") == ["collection-000001", "collection-000002"]
    assert set(stems(t2s, "camt.054")) <= set(stems(atomic, "camt.054"))


def test_receipts_are_notified_where_coupons_were_executed(atomic):
    kinds = Counter(stem.partition("-")[0] for stem in stems(atomic, "camt.054"))

    assert kinds == {"collection": 2, "coupon": 2, "arrears": 1}


def test_parked_zero_and_sub_cent_receipts_are_not_notified(atomic):
    accounts = [value(path, ".//Acct/Id/Othr/Id") for path in sorted((atomic / "camt.054").glob("c*.xml"))]
    amounts = [value(path, ".//Ntry/Amt") for path in (atomic / "camt.054").glob("*.xml")]

    assert "carol" not in accounts
    assert "0.00" not in amounts


def test_one_notice_a_coupon_with_interest_for_each_unit(atomic, t2s):
    assert len(stems(atomic, "seev.031")) == 3
    assert len(stems(t2s, "seev.031")) == 1
    path = atomic / "seev.031" / "000001.xml"
    assert value(path, ".//EvtTp/Cd") == "INTR"
    assert value(path, ".//MndtryVlntryEvtTp/Cd") == "MAND"
    rate = value(path, ".//IntrstRateUsdForPmt/Amt")
    assert 0 <= Fraction(55_555_555, 100 * 10**6) - Fraction(rate) < Fraction(1, 10**13)


def test_principal_is_said_in_words_and_only_where_there_is_some(atomic):
    notices = {path.stem: read(path) for path in (atomic / "seev.031").glob("*.xml")}
    said = [n.findtext(".//AddtlTxt/AddtlInf") for n in notices.values() if n.find(".//AddtlTxt") is not None]

    assert said == ["Principal paid with it: USD 5.0000000000000 a unit."]


def test_notice_without_known_units_makes_up_no_rate(atomic):
    (path,) = [
        p for p in (atomic / "seev.031").glob("*.xml") if value(p, ".//CorpActnEvtId").startswith("Z-")
    ]

    assert value(path, ".//IntrstRateUsdForPmt/NotSpcfdRate") == "UKWN"
    assert read(path).find(".//IntrstRateUsdForPmt/Amt") is None


def test_hostile_names_stay_text(atomic):
    said_back = HOSTILE.replace("\x07", "?")

    assert value(atomic / "camt.054" / "coupon-000001.xml", ".//Acct/Ownr/Nm") == said_back
    assert value(atomic / "sese.023" / "000002-DELI.xml", ".//AcctOwnr/Id/PrtryId/Id") == said_back


def test_long_names_fit_and_stay_apart(tmp_path):
    twins = (("T1", 0, "A", LONG + "1", LONG + "2", 10, 10**9),)
    run = make_run(tmp_path / "run", trades=twins)
    export_run(run, tmp_path / "out", messages=["sese.023"])

    path = tmp_path / "out" / "sese.023" / "000001-DELI.xml"
    parties = [
        value(path, f".//{chain}/Pty1/Id/PrtryId/Id") for chain in ("DlvrgSttlmPties", "RcvgSttlmPties")
    ]
    assert [len(name) for name in parties] == [35, 35]
    assert parties[0] != parties[1]


def test_account_of_a_long_name_fits_34_characters(tmp_path):
    run = make_run(tmp_path / "run", payments=[(1, "A", "coupon", 1, LONG, 5, 10**6, "paid", 10)])
    export_run(run, tmp_path / "out", messages=["camt.054"])

    account = value(tmp_path / "out" / "camt.054" / "coupon-000001.xml", ".//Acct/Id/Othr/Id")
    assert len(account) == 34


def test_same_run_gives_the_same_bytes(run, atomic, tmp_path):
    export_run(run, tmp_path / "again", world=ATOMIC)

    for path in sorted(p for p in atomic.rglob("*") if p.is_file()):
        assert (tmp_path / "again" / path.relative_to(atomic)).read_bytes() == path.read_bytes(), path.name
