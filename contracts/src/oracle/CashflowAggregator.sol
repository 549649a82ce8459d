// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";
import {ICashflowFeed} from "../interfaces/ICashflowFeed.sol";

/// @title CashflowAggregator
/// @notice One asset's final registers for readers that know Chainlink's interface. It keeps nothing of its own.
///
/// ROUNDS. A round is a period. It starts with the period and is updated when its report becomes final; a correction
/// changes answer and time of the last round.
/// VALUE. Cumulative energy in watt-hours, without decimals, of final reports only.
/// LIVENESS. No answer rather than a doubtful one: without a final report, or while the ripcord is pulled, reading
/// reverts.
contract CashflowAggregator is IAggregatorV3 {
    /// @notice The period has no final report.
    error NoData(bytes32 assetId, uint256 roundId);
    /// @notice The asset is stopped: its values are not to be used.
    error DoNotConsume(bytes32 assetId);

    ICashflowFeed public immutable FEED;
    bytes32 public immutable ASSET_ID;

    /// @param feed Where the reports are.
    /// @param assetId Whose they are.
    constructor(ICashflowFeed feed, bytes32 assetId) {
        FEED = feed;
        ASSET_ID = assetId;
    }

    /// @inheritdoc IAggregatorV3
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(FEED.lastPeriodId(ASSET_ID));
    }

    /// @inheritdoc IAggregatorV3
    function decimals() external pure returns (uint8) {
        return 0;
    }

    /// @inheritdoc IAggregatorV3
    function description() external pure returns (string memory) {
        return "cumulative energy / Wh";
    }

    /// @inheritdoc IAggregatorV3
    function version() external pure returns (uint256) {
        return 1;
    }

    /// @inheritdoc IAggregatorV3
    function getRoundData(uint80 roundId)
        public
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        require(!FEED.isRipcordPulled(ASSET_ID), DoNotConsume(ASSET_ID));
        require(roundId <= type(uint64).max, NoData(ASSET_ID, roundId));
        // forge-lint: disable-next-line(unsafe-typecast) -- checked in the line above
        ICashflowFeed.FinalReport memory report = FEED.finalReport(ASSET_ID, uint64(roundId));
        require(report.finalisedAt > 0, NoData(ASSET_ID, roundId));
        // forge-lint: disable-next-line(unsafe-typecast) -- 128 bits fit
        return (roundId, int256(uint256(report.registerWh)), report.periodStart, report.finalisedAt, roundId);
    }
}
