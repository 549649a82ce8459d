// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IReportSink
/// @notice What is told of every final report, in the transaction that makes it final.
interface IReportSink {
    /// @notice Takes one final period of an asset.
    /// @param assetId Asset reported on.
    /// @param periodId Number of the period, 1 for the first.
    /// @param periodStart First second of the period (UTC).
    /// @param periodEnd First second after the period (UTC).
    /// @param registerWh Cumulative energy at the period's end (Wh).
    /// @param creditedUsd6 Cumulative cash credited to the collection account (1e6).
    function onFinalReport(
        bytes32 assetId,
        uint64 periodId,
        uint64 periodStart,
        uint64 periodEnd,
        uint128 registerWh,
        uint128 creditedUsd6
    ) external;
}
