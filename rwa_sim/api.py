"""The public Python API in one import: `import rwa_sim.api as rwa`.

Everything listed in `__all__` keeps its meaning within a minor version.
"""

from oracles.config import FeedConfig, asset_id_of
from oracles.devices.meter import DeviceMeter
from oracles.network import OracleNetwork, signer_addresses
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import CashflowEvent, MeterReading, SignedReport
from rwa_sim.chain.anvil import AnvilEngine
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import ClassIssue, Deal, DealTerms, deploy_deal
from rwa_sim.chain.engine import Account, Engine, Receipt
from rwa_sim.chain.instruction import Instruction, Mode, sign_instruction
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.chain.rpc import RpcEngine
from rwa_sim.chain.signing import derive_account
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.domain.money import usd_text
from rwa_sim.domain.records import CouponRecord, SettlementRecord, Trade
from rwa_sim.domain.tranches import ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms
from rwa_sim.errors import Reverted, RwaError
from rwa_sim.network import open_network
from rwa_sim.results.write import compute_results, write_results
from rwa_sim.scenario import load_scenario
from rwa_sim.simulation import RunResult, run
from rwa_sim.study.document import load_study
from rwa_sim.study.result import StudyResult
from rwa_sim.study.runner import run_study

__all__ = [
    "Account",
    "AnvilEngine",
    "AssetRegistry",
    "CashflowEvent",
    "ClassIssue",
    "ClassTerms",
    "Contract",
    "CouponRecord",
    "Deal",
    "DealTerms",
    "DeviceMeter",
    "Engine",
    "FeedConfig",
    "Instruction",
    "MeterReading",
    "MeterSpec",
    "Mode",
    "OracleNetwork",
    "PeriodSchedule",
    "Receipt",
    "Reverted",
    "RevmEngine",
    "RpcEngine",
    "RunResult",
    "RwaError",
    "SettlementRecord",
    "SignedReport",
    "Step",
    "StepKind",
    "StudyResult",
    "TesterEngine",
    "Trade",
    "Trigger",
    "WaterfallTerms",
    "asset_id_of",
    "compute_results",
    "deploy",
    "deploy_deal",
    "derive_account",
    "load_scenario",
    "load_study",
    "open_network",
    "run",
    "run_study",
    "sign_instruction",
    "signer_addresses",
    "usd_text",
    "write_results",
]
