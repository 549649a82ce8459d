"""sese.025, SecuritiesSettlementTransactionConfirmation: the custodian tells each side that its trade has settled.

Two confirmations a settled trade, of the whole of it and at its finality, also where it settled in pieces: the run
keeps no instant of a piece. Element order follows version 09.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from xml.etree.ElementTree import Element

from rwa_sim.domain.records import SettlementRecord, Trade
from rwa_sim.exports.message import Message
from rwa_sim.exports.parts import document, identifier, instant, security, sub
from rwa_sim.exports.run_folder import RunFolder
from rwa_sim.exports.sese_023 import SIDES, Side, account, money, parties, trade_details, transaction_id

VERSION = "sese.025.001.09"


def messages(run: RunFolder, world: str) -> Iterator[Message]:
    """The confirmations of a world, deliverer first."""
    for number, (trade, settlement) in enumerate(run.trades(world), start=1):
        if settlement.finalized_at_s is None:
            continue
        for side in SIDES:
            yield Message(
                stem=f"{number:06d}-{side.movement}",
                amount_usd6=trade.cash_usd6,
                build=partial(confirmation, trade, settlement, settlement.finalized_at_s, side, run.title),
            )


def confirmation(
    trade: Trade, settlement: SettlementRecord, finalized_at_s: int, side: Side, title: str
) -> Element:
    """One side's confirmation."""
    root, body = document(VERSION, "SctiesSttlmTxConf")
    named = sub(body, "TxIdDtls")
    sub(named, "AcctOwnrTxId", transaction_id(trade, side))
    sub(named, "AcctSvcrTxId", identifier(f"{trade.trade_id}-{side.movement}-CONF"))
    sub(named, "SctiesMvmntTp", side.movement)
    sub(named, "Pmt", "APMT")
    sub(named, "CmonId", identifier(trade.trade_id))
    sub(trade_details(body, trade, settlement), "FctvSttlmDt/Dt/DtTm", instant(finalized_at_s))
    security(body, trade.instrument, title)
    quantity = sub(body, "QtyAndAcctDtls")
    sub(quantity, "SttldQty/Qty/Unit", str(trade.units))
    account(quantity, trade, side)
    sub(body, "SttlmParams/SctiesTxTp/Cd", "TRAD")
    parties(body, trade, settlement.profile)
    money(body, "SttldAmt", trade, side)
    return root
