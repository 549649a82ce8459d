// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

import {IBondToken} from "../interfaces/IBondToken.sol";

/// @title BondToken
/// @notice Register of a bond: who holds how many units now, and who held them at any past second.
///
/// LIFE. issue -> transfer (by DvP) -> coupons paid by record time -> principal written down by the pool
/// factor outside this contract; units stay.
/// RECORD TIME. A balance is answered only when the second asked for is over, so that no transfer can
/// still change it: two holders can never both be holder of record for the same unit.
/// ROLES. Admin grants roles. Issuer creates units. Retirer destroys those of a repaid bond.
/// ROUNDINGS. None: units are whole.
contract BondToken is IBondToken, ERC20Permit, AccessControl {
    using Checkpoints for Checkpoints.Trace208;

    bytes32 public constant ISSUER_ROLE = keccak256("ISSUER_ROLE");
    bytes32 public constant RETIRER_ROLE = keccak256("RETIRER_ROLE");

    Terms private _terms;
    mapping(address holder => Checkpoints.Trace208) private _unitsHistory; // [units by UTC second]
    Checkpoints.Trace208 private _supplyHistory; // [units by UTC second]

    /// @param name_ Name shown and hashed into the permit domain.
    /// @param symbol_ Ticker.
    /// @param terms_ Immutable terms.
    /// @param admin Account that grants the roles.
    constructor(string memory name_, string memory symbol_, Terms memory terms_, address admin)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        require(terms_.faceUsd6 > 0, InvalidTerms("faceUsd6", terms_.faceUsd6, 1));
        require(terms_.rateWad <= 1e18, InvalidTerms("rateWad", terms_.rateWad, 1e18));
        require(terms_.periodCount > 0, InvalidTerms("periodCount", terms_.periodCount, 1));
        require(
            terms_.maturityTime > terms_.issueTime,
            InvalidTerms("maturityTime", terms_.maturityTime, terms_.issueTime)
        );

        _terms = terms_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc IBondToken
    function issue(address to, uint256 units) external onlyRole(ISSUER_ROLE) {
        emit Issued(to, units);

        _mint(to, units);
    }

    /// @inheritdoc IBondToken
    function retire(address holder) external onlyRole(RETIRER_ROLE) {
        uint256 units = balanceOf(holder);

        emit Retired(holder, units);

        _burn(holder, units);
    }

    /// @inheritdoc IBondToken
    function balanceOfAt(address holder, uint256 recordTime) external view returns (uint256 units) {
        return _unitsHistory[holder].upperLookup(_requirePassed(recordTime));
    }

    /// @inheritdoc IBondToken
    function totalSupplyAt(uint256 recordTime) external view returns (uint256 units) {
        return _supplyHistory.upperLookup(_requirePassed(recordTime));
    }

    /// @inheritdoc IBondToken
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @notice Seconds: record times are timestamps.
    function clock() public view returns (uint48) {
        return Time.timestamp();
    }

    /// @notice ERC-6372 description of the clock.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external pure returns (string memory) {
        return "mode=timestamp";
    }

    /// @notice Zero: a bond is a whole unit.
    function decimals() public pure override returns (uint8) {
        return 0;
    }

    /// @dev A transfer to oneself and a transfer of nothing leave no checkpoint: they change no balance.
    function _update(address from, address to, uint256 units) internal override {
        super._update(from, to, units);

        if (from == to || units == 0) return;
        uint48 now48 = clock();
        if (from == address(0) || to == address(0)) _supplyHistory.push(now48, SafeCast.toUint208(totalSupply()));
        if (from != address(0)) _unitsHistory[from].push(now48, SafeCast.toUint208(balanceOf(from)));
        if (to != address(0)) _unitsHistory[to].push(now48, SafeCast.toUint208(balanceOf(to)));
    }

    function _requirePassed(uint256 recordTime) private view returns (uint48) {
        require(recordTime < clock(), RecordTimeNotPassed(recordTime, clock()));
        return SafeCast.toUint48(recordTime);
    }
}
