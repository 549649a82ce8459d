// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReportSink} from "../interfaces/IReportSink.sol";

/// @title MoodySink
/// @notice Test only: a sink that refuses reports until it is told to take them.
contract MoodySink is IReportSink {
    error NotInTheMood(uint64 periodId);

    event Taken(
        bytes32 assetId,
        uint64 periodId,
        uint64 periodStart,
        uint64 periodEnd,
        uint128 registerWh,
        uint128 creditedUsd6
    );

    bool private _refusing = true;

    function setRefusing(bool refusing) external {
        _refusing = refusing;
    }

    function onFinalReport(
        bytes32 assetId,
        uint64 periodId,
        uint64 periodStart,
        uint64 periodEnd,
        uint128 registerWh,
        uint128 creditedUsd6
    ) external {
        require(!_refusing, NotInTheMood(periodId));

        emit Taken(assetId, periodId, periodStart, periodEnd, registerWh, creditedUsd6);
    }
}
