"""sese.023, SecuritiesSettlementTransactionInstruction: each side tells its custodian to deliver or to receive.

Two instructions a trade, matched by the common identification. Element order and cardinality follow version 09, in
which the safekeeping account is mandatory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from xml.etree.ElementTree import Element

from rwa_sim.domain.records import SettlementRecord, Trade
from rwa_sim.exports.message import Message
from rwa_sim.exports.parts import (
    amount,
    document,
    identifier,
    instant,
    proprietary_party,
    security,
    sub,
    text,
)
from rwa_sim.exports.run_folder import RunFolder

VERSION = "sese.023.001.09"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a trade: how securities move for it, and cash."""

    movement: str  # ReceiveDelivery1Code
    cash: str  # CreditDebitCode


DELIVERER, RECEIVER = Side("DELI", "CRDT"), Side("RECE", "DBIT")
SIDES = (DELIVERER, RECEIVER)


def messages(run: RunFolder, world: str) -> Iterator[Message]:
    """The instructions of a world, deliverer first."""
    for number, (trade, settlement) in enumerate(run.trades(world), start=1):
        for side in SIDES:
            yield Message(
                stem=f"{number:06d}-{side.movement}",
                amount_usd6=trade.cash_usd6,
                build=partial(instruction, trade, settlement, side, run.title),
            )


def instruction(trade: Trade, settlement: SettlementRecord, side: Side, title: str) -> Element:
    """One side's instruction."""
    root, body = document(VERSION, "SctiesSttlmTxInstr")
    sub(body, "TxId", transaction_id(trade, side))
    kind = sub(body, "SttlmTpAndAddtlParams")
    sub(kind, "SctiesMvmntTp", side.movement)
    sub(kind, "Pmt", "APMT")
    sub(kind, "CmonId", identifier(trade.trade_id))
    trade_details(body, trade, settlement)
    security(body, trade.instrument, title)
    quantity = sub(body, "QtyAndAcctDtls")
    sub(quantity, "SttlmQty/Qty/Unit", str(trade.units))
    account(quantity, trade, side)
    sub(body, "SttlmParams/SctiesTxTp/Cd", "TRAD")
    parties(body, trade, settlement.profile)
    money(body, "SttlmAmt", trade, side)
    return root


def transaction_id(trade: Trade, side: Side) -> str:
    """The account owner's identification of its instruction."""
    return identifier(f"{trade.trade_id}-{side.movement}")


def trade_details(body: Element, trade: Trade, settlement: SettlementRecord) -> Element:
    """Append trade and intended settlement, as instants: a world's local day may be another one in UTC."""
    details = sub(body, "TradDtls")
    sub(details, "TradId", identifier(trade.trade_id))
    sub(details, "TradDt/Dt/DtTm", instant(trade.executed_at_s))
    sub(details, "SttlmDt/Dt/DtTm", instant(settlement.intended_at_s))
    return details


def account(quantity: Element, trade: Trade, side: Side) -> None:
    """Append the owner and its safekeeping account, which bears the owner's name."""
    owner = trade.seller if side is DELIVERER else trade.buyer
    proprietary_party(sub(quantity, "AcctOwnr"), owner)
    sub(quantity, "SfkpgAcct/Id", identifier(owner))


def parties(body: Element, trade: Trade, world: str) -> None:
    """Append both settlement chains: the place of settlement is the world itself."""
    for chain, name in (("DlvrgSttlmPties", trade.seller), ("RcvgSttlmPties", trade.buyer)):
        settling = sub(body, chain)
        sub(settling, "Dpstry/Id/NmAndAdr/Nm", text(world, 350))
        proprietary_party(sub(settling, "Pty1"), name)


def money(body: Element, name: str, trade: Trade, side: Side) -> None:
    """Append the cash leg as this side sees it."""
    cash = sub(body, name)
    amount(cash, "Amt", trade.cash_usd6)
    sub(cash, "CdtDbtInd", side.cash)
