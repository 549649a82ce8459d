// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";

import {DayCount} from "../libraries/DayCount.sol";
import {IERC5679Ext20} from "./IERC5679.sol";
import {IRecordDates} from "./IRecordDates.sol";

/// @title IBondToken
/// @notice A bond in whole units: its terms, its register, and who is paid for a record date.
/// @dev | name         | scale        | example                          |
///      | `units`      | 1e0          | 250 = 250 bonds                  |
///      | `faceUsd6`   | 1e6          | 100_000_000 = 100 dollars a unit |
///      | `rateWad`    | 1e18 a year  | 0.05e18 = 5 % a year             |
interface IBondToken is IRecordDates, IERC20, IERC6372, IERC5679Ext20 {
    /// @notice How the coupon is determined.
    enum CouponType {
        Zero,
        Fixed,
        Floating,
        FromCashflow
    }

    /// @notice What the bond is. Immutable: terms do not change, engines may be replaced.
    /// @param isin International securities identification number (ISO 6166), empty if none.
    /// @param currency Cash token of principal and coupons.
    /// @param assetId Asset whose cash flow pays the bond.
    /// @param assetRegistry Where the asset must be certified and pledged to this bond; address(0) asks for neither.
    /// @param faceUsd6 Original face value of one unit (1e6).
    /// @param rateWad Coupon rate a year (1e18 = 100 %).
    /// @param issueTime First second of the first interest period (UTC).
    /// @param maturityTime First second after the last interest period (UTC).
    /// @param periodCount Number of interest periods between them.
    /// @param couponType How the coupon is determined.
    /// @param couponFrequency Coupons a year.
    /// @param dayCount Day count convention of the coupon.
    /// @param termSheetHash keccak256 of the term sheet.
    struct Terms {
        string isin;
        address currency;
        bytes32 assetId;
        address assetRegistry;
        uint128 faceUsd6;
        uint128 rateWad;
        uint64 issueTime;
        uint64 maturityTime;
        uint32 periodCount;
        CouponType couponType;
        uint8 couponFrequency;
        DayCount.Convention dayCount;
        bytes32 termSheetHash;
    }

    /// @notice The terms contradict themselves.
    error InvalidTerms(bytes32 what, uint256 actual, uint256 bound);
    error SameWallet(address wallet);
    error AlreadyRecovered(address wallet, address successor);
    /// @notice Both wallets must be registered under the identity that claims them.
    error IdentityMismatch(address wallet, address actual, address expected);
    error NotEnoughFrozen(address account, uint256 units, uint256 frozenUnits);

    /// @notice What a page of holders of record is owed for, and who may be paid for it now.
    /// @param recordId Number of a record date that is over.
    /// @return units Units each held of record (1e0).
    /// @return payees Each holder, or the wallet that replaced a lost one; address(0) while it is frozen: what is due
    ///         waits.
    function entitlementsAt(uint256 recordId, address[] calldata holders)
        external
        view
        returns (uint256[] memory units, address[] memory payees);

    /// @notice Who may be paid what `holder` is owed: itself, or the wallet that replaced a lost one.
    function payeeOf(address holder) external view returns (address payee, bool isPayable);

    /// @notice Investor class in the registry in force, 0 without one.
    function investorClassOf(address wallet) external view returns (uint8);

    function terms() external view returns (Terms memory);
}

/// @title IBondFacts
/// @notice The getters of ERC-7092, from the terms. Its transfers are not ERC-20's, so no conformance is claimed.
interface IBondFacts {
    function isin() external view returns (string memory);

    function currency() external view returns (address);

    function currencyOfCoupon() external view returns (address);

    /// @notice Face value of one unit (1e6).
    function denomination() external view returns (uint256);

    /// @notice Face value of all units (1e6).
    function issueVolume() external view returns (uint256);

    /// @notice Coupon rate a year (1e18 = 100 %).
    function couponRate() external view returns (uint256);

    /// @notice UTC seconds.
    function issueDate() external view returns (uint256);

    /// @notice UTC seconds.
    function maturityDate() external view returns (uint256);

    /// @notice Face value of the account's units (1e6).
    function principalOf(address account) external view returns (uint256);

    /// @notice `IBondToken.CouponType`.
    function couponType() external view returns (uint8);

    /// @notice Coupons a year.
    function couponFrequency() external view returns (uint256);

    /// @notice `DayCount.Convention`.
    function dayCountBasis() external view returns (uint8);
}
