// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IRecordDates} from "../interfaces/IRecordDates.sol";
import {Account, Common} from "./Words.sol";

/// @title UnitRegister
/// @notice Who holds how many units now, and who held them on each record date.
///
/// EPOCHS. Time is cut at the declared record dates: epoch n is after n of them. A balance is written down for the past
/// only by the first change in a new epoch, once, whatever the number of transfers before. So a transfer costs what an
/// ERC-20 transfer costs, and the first one after a record date pays for keeping the history.
/// RECORD DATE. Transfers stamped at the record date still count, and a balance is told only when that second is over:
/// two holders can never both be holder of record of the same unit.
/// ONE WORD. Units, epoch and what the transfer rules need of an account lie in one storage word. The account of
/// address(0) is the issuer's side: its units are the total supply.
/// ROUNDINGS. None: units are whole.
abstract contract UnitRegister is IRecordDates, ERC20Permit {
    Common internal _common;
    mapping(address holder => Account) internal _accounts;
    /// @dev An entry kept under epoch n is the account as it stood from its own `epoch` until before n. By `pastEpoch`
    ///      the entries form a chain.
    mapping(address holder => mapping(uint256 epoch => Account)) private _past;
    uint40[] private _recordTimes; // [UTC seconds], ascending; six to a storage word

    /// @inheritdoc IRecordDates
    function recordDateCount() external view returns (uint256) {
        return _recordTimes.length;
    }

    /// @inheritdoc IRecordDates
    function recordDate(uint256 recordId) public view returns (uint256 recordTime) {
        require(recordId > 0 && recordId <= _recordTimes.length, UnknownRecordDate(recordId, _recordTimes.length));
        return _recordTimes[recordId - 1];
    }

    /// @inheritdoc IRecordDates
    function unitsAt(uint256 recordId, address holder) public view returns (uint256 units) {
        _requirePassed(recordId);
        return _unitsAt(recordId, holder, _accounts[holder]);
    }

    /// @inheritdoc IRecordDates
    function supplyAt(uint256 recordId) external view returns (uint256 units) {
        return unitsAt(recordId, address(0));
    }

    function balanceOf(address holder) public view virtual override returns (uint256) {
        return holder == address(0) ? 0 : _accounts[holder].units();
    }

    function totalSupply() public view virtual override returns (uint256) {
        return _accounts[address(0)].units();
    }

    function _declareRecordDate(uint256 recordTime) internal returns (uint256 recordId) {
        Common common = _common;
        require(recordTime >= block.timestamp, RecordTimeInPast(recordTime, block.timestamp));
        require(
            recordTime >= common.lastRecordTime(), RecordTimesNotAscending(recordTime, common.lastRecordTime())
        );
        recordId = common.recordDateCount();
        if (recordId > 0 && recordTime == common.lastRecordTime()) return recordId;

        ++recordId;
        _recordTimes.push(SafeCast.toUint40(recordTime));
        _common = common.withRecordDate(SafeCast.toUint24(recordId), recordTime);

        emit RecordDateDeclared(recordId, recordTime);
    }

    /// @dev Moves units between two different accounts that were read before, and writes both back. The caller has
    ///      checked that the sender has them.
    function _write(address from, Account sender, address to, Account receiver, uint256 units, Common common)
        internal
    {
        uint256 epoch = _epoch(common);
        uint256 holders = common.holderCount();
        sender = _withPast(from, sender, epoch);
        receiver = _withPast(to, receiver, epoch);
        if (from == address(0)) {
            sender = sender.withUnits(SafeCast.toUint128(sender.units() + units));
        } else {
            uint256 left = sender.units() - units;
            if (left == 0) --holders;
            sender = sender.withUnits(left);
        }
        if (to == address(0)) {
            receiver = receiver.withUnits(receiver.units() - units);
        } else {
            if (receiver.units() == 0) ++holders;
            // no more than the supply, which fits
            receiver = receiver.withUnits(receiver.units() + units);
        }

        _accounts[from] = sender;
        _accounts[to] = receiver;
        if (holders != common.holderCount()) _common = common.withHolderCount(SafeCast.toUint24(holders));
    }

    /// @dev Epochs that are over answer from the chain of entries; one step for each epoch in which the holder dealt
    ///      since. Holders usually claim before they have dealt again, and then there is no step at all.
    function _unitsAt(uint256 recordId, address holder, Account account) internal view returns (uint256 units) {
        if (account.epoch() < recordId) return account.units();

        uint256 key = account.pastEpoch();
        while (key >= recordId) {
            Account entry = _past[holder][key];
            if (entry.epoch() < recordId) return entry.units();
            key = entry.pastEpoch();
        }
        return 0;
    }

    function _requirePassed(uint256 recordId) internal view {
        uint256 recordTime = recordDate(recordId);
        require(block.timestamp > recordTime, RecordTimeNotPassed(recordTime, block.timestamp));
    }

    /// @dev An account without units leaves no entry: a gap in the chain reads as nothing held.
    function _withPast(address holder, Account account, uint256 epoch) private returns (Account) {
        if (account.epoch() == epoch) return account;
        if (account.units() == 0) return account.withEpoch(epoch, account.pastEpoch());

        _past[holder][epoch] = account.asPast();
        return account.withEpoch(epoch, epoch);
    }

    /// @dev Usually at most the last record date is still to come; then no date is read from storage.
    function _epoch(Common common) private view returns (uint256 epoch) {
        epoch = common.recordDateCount();
        if (epoch == 0 || block.timestamp > common.lastRecordTime()) return epoch;
        if (--epoch == 0 || block.timestamp > common.priorRecordTime()) return epoch;
        while (epoch > 0 && block.timestamp <= _recordTimes[epoch - 1]) --epoch;
    }
}
