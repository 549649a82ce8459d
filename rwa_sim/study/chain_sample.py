"""The first trades of a study's tape executed through contracts, and held against the model field by field."""

from __future__ import annotations

from dataclasses import dataclass

from rwa_sim.engines import EngineName, open_engine
from rwa_sim.rails.atomic import TokenisedProfile
from rwa_sim.sampling import SampleCheck, execute_sample
from rwa_sim.study.document import LoadedStudy
from rwa_sim.study.runner import Progress, market_of
from rwa_sim.study.worlds import load_worlds

EXECUTABLE = ("gross", "cycle")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSample:
    """What was executed, world by world."""

    checks: tuple[SampleCheck, ...]

    def text(self) -> str:
        """One line: which part of the tape was executed, and that it was equal."""
        parts = [
            f"{check.trades} of {check.tape:,} trades of {check.world} ({100 * float(check.share):.3f} %)"
            for check in self.checks
        ]
        return (
            f"Executed in contracts on {self.checks[0].engine} and equal to the model field by field: "
            f"{'; '.join(parts)}, first seed."
        )


def check_on_chain(
    loaded: LoadedStudy,
    count: int,
    progress: Progress = lambda stage, done, total: None,
    engine: EngineName = EngineName.TESTER,
) -> ChainSample:
    """Execute the first trades of the first seed in every world whose cash is on the chain.

    Raises:
        ResultFailed: chain and model differ; names world, trade and field.
        EnvironmentFault: what the engine needs is not installed or does not start.
        InputError: the market has more participants or instruments than the contracts' netting takes.
    """
    study = loaded.study
    market = market_of(loaded, 1)
    worlds = {
        name: world.profile
        for name, world in load_worlds(loaded).items()
        if isinstance(world.profile, TokenisedProfile) and world.profile.mode in EXECUTABLE
    }
    checks: list[SampleCheck] = []
    for name, profile in worlds.items():
        progress("chain sample", len(checks), len(worlds))
        with open_engine(engine, study.seed) as chain:
            checks.append(execute_sample(market, profile, f"{study.seed}:1:{name}", count, chain))
    progress("chain sample", len(checks), len(worlds))
    return ChainSample(checks=tuple(checks))
