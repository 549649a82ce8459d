// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";

import {IRecordDates} from "../interfaces/IRecordDates.sol";

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
    using Arrays for uint256[];

    /// @dev `epoch` is that of the last change. `pastEpoch` is the key of the newest entry in `_past`, 0 for none.
    struct Account {
        uint128 units;
        uint24 epoch;
        uint24 pastEpoch;
        uint8 flags;
        uint8 investorClass;
        uint16 country;
        uint40 validUntil;
        uint8 identityVersion;
    }

    /// @dev An entry kept under epoch n: `units` from epoch `since` until before n. Entries form a chain.
    struct Past {
        uint128 units;
        uint24 since;
        uint24 previous;
    }

    /// @dev The word every transfer reads: record dates and rules.
    struct Common {
        uint24 recordDateCount;
        uint40 lastRecordTime; // [UTC seconds]
        uint40 priorRecordTime; // [UTC seconds]
        uint24 holderCount;
        uint24 maxHolders;
        uint24 minLotUnits;
        uint40 lockedUntil; // [UTC seconds]
        uint16 classMask;
        uint8 switches;
        uint8 identityVersion;
    }

    Common internal _common;
    mapping(address holder => Account) internal _accounts;
    mapping(address holder => mapping(uint256 epoch => Past)) private _past;
    uint256[] private _recordTimes; // [UTC seconds], ascending

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
        uint256 recordTime = recordDate(recordId);
        require(block.timestamp > recordTime, RecordTimeNotPassed(recordTime, block.timestamp));
        return _unitsAt(recordId, holder);
    }

    /// @inheritdoc IRecordDates
    function supplyAt(uint256 recordId) external view returns (uint256 units) {
        return unitsAt(recordId, address(0));
    }

    /// @inheritdoc IRecordDates
    function balanceOfAt(address holder, uint256 recordTime) external view returns (uint256 units) {
        return unitsAt(_recordIdOf(recordTime), holder);
    }

    /// @inheritdoc IRecordDates
    function totalSupplyAt(uint256 recordTime) external view returns (uint256 units) {
        return unitsAt(_recordIdOf(recordTime), address(0));
    }

    function balanceOf(address holder) public view virtual override returns (uint256) {
        return holder == address(0) ? 0 : _accounts[holder].units;
    }

    function totalSupply() public view virtual override returns (uint256) {
        return _accounts[address(0)].units;
    }

    function _declareRecordDate(uint256 recordTime) internal returns (uint256 recordId) {
        Common memory common = _readCommon();
        require(recordTime >= block.timestamp, RecordTimeInPast(recordTime, block.timestamp));
        require(
            recordTime >= common.lastRecordTime, RecordTimesNotAscending(recordTime, common.lastRecordTime)
        );
        recordId = common.recordDateCount;
        if (recordId > 0 && recordTime == common.lastRecordTime) return recordId;

        ++recordId;
        _recordTimes.push(recordTime);
        _common.recordDateCount = SafeCast.toUint24(recordId);
        _common.priorRecordTime = common.lastRecordTime;
        _common.lastRecordTime = SafeCast.toUint40(recordTime);

        emit RecordDateDeclared(recordId, recordTime);
    }

    /// @dev One place that unpacks a word, and one that packs it: each is long in bytecode.
    function _readAccount(address holder) internal view returns (Account memory) {
        return _accounts[holder];
    }

    function _writeAccount(address holder, Account memory account) internal {
        _accounts[holder] = account;
    }

    function _readCommon() internal view returns (Common memory) {
        return _common;
    }

    /// @dev Moves units between two different accounts that were read before, and writes both back.
    function _write(
        address from,
        Account memory sender,
        address to,
        Account memory receiver,
        uint256 units,
        Common memory common
    ) internal {
        uint24 epoch = _epoch(common);
        _keepPast(from, sender, epoch);
        _keepPast(to, receiver, epoch);
        uint24 holders = common.holderCount;
        if (from == address(0)) sender.units = SafeCast.toUint128(sender.units + units);
        else if ((sender.units -= uint128(units)) == 0) --holders;
        if (to == address(0)) {
            receiver.units -= uint128(units);
        } else {
            if (receiver.units == 0) ++holders;
            receiver.units += uint128(units);
        }

        _writeAccount(from, sender);
        _writeAccount(to, receiver);
        if (holders != common.holderCount) _common.holderCount = holders;
    }

    /// @dev Epochs that are over answer from the chain of entries; one step for each epoch in which the holder dealt
    ///      since. Holders usually claim before they have dealt again, and then there is no step at all.
    function _unitsAt(uint256 recordId, address holder) internal view returns (uint256 units) {
        Account storage account = _accounts[holder];
        if (account.epoch < recordId) return account.units;

        uint256 key = account.pastEpoch;
        while (key >= recordId) {
            Past storage entry = _past[holder][key];
            if (entry.since < recordId) return entry.units;
            key = entry.previous;
        }
        return 0;
    }

    function _recordIdOf(uint256 recordTime) private view returns (uint256) {
        uint256 index = _recordTimes.lowerBound(recordTime);
        require(
            index < _recordTimes.length && _recordTimes[index] == recordTime, NotARecordDate(recordTime)
        );
        return index + 1;
    }

    /// @dev An account without units leaves no entry: a gap in the chain reads as nothing held.
    function _keepPast(address holder, Account memory account, uint24 epoch) private {
        if (account.epoch == epoch) return;
        if (account.units > 0) {
            _past[holder][epoch] =
                Past({units: account.units, since: account.epoch, previous: account.pastEpoch});
            account.pastEpoch = epoch;
        }
        account.epoch = epoch;
    }

    /// @dev Usually at most the last record date is still to come; then no date is read from storage.
    function _epoch(Common memory common) private view returns (uint24 epoch) {
        epoch = common.recordDateCount;
        if (epoch == 0 || block.timestamp > common.lastRecordTime) return epoch;
        if (--epoch == 0 || block.timestamp > common.priorRecordTime) return epoch;
        while (epoch > 0 && block.timestamp <= _recordTimes[epoch - 1]) --epoch;
    }
}
