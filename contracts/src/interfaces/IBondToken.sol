// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";

/// @title IBondToken
/// @notice A bond in whole units with the balance of every holder at any past record time.
/// @dev | name         | scale        | example                          |
///      | `units`      | 1e0          | 250 = 250 bonds                  |
///      | `faceUsd6`   | 1e6          | 100_000_000 = 100 dollars a unit |
///      | `rateWad`    | 1e18 a year  | 0.05e18 = 5 % a year             |
///      | `recordTime` | UTC seconds  | included: transfers stamped at it count |
interface IBondToken is IERC20, IERC6372 {
    /// @notice What the bond is. Immutable: terms do not change, engines may be replaced.
    /// @param assetId Asset whose cash flow pays the bond.
    /// @param faceUsd6 Original face value of one unit (1e6).
    /// @param rateWad Coupon rate a year (1e18 = 100 %).
    /// @param issueTime First second of the first interest period (UTC).
    /// @param maturityTime First second after the last interest period (UTC).
    /// @param periodCount Number of interest periods between them.
    /// @param termSheetHash keccak256 of the term sheet.
    struct Terms {
        bytes32 assetId;
        uint128 faceUsd6;
        uint128 rateWad;
        uint64 issueTime;
        uint64 maturityTime;
        uint32 periodCount;
        bytes32 termSheetHash;
    }

    /// @notice The terms contradict themselves.
    error InvalidTerms(bytes32 what, uint256 actual, uint256 bound);
    /// @notice A balance is known only for a second that is over.
    error RecordTimeNotPassed(uint256 recordTime, uint256 nowSeconds);

    /// @notice Units were created for their first holder.
    event Issued(address indexed to, uint256 units);
    /// @notice Units of a repaid bond left the register.
    event Retired(address indexed holder, uint256 units);

    /// @notice Creates units for their first holder.
    /// @param to First holder.
    /// @param units Number of bonds (1e0).
    function issue(address to, uint256 units) external;

    /// @notice Destroys all units of a holder once the bond is repaid.
    function retire(address holder) external;

    /// @notice Units the holder had when `recordTime` was over.
    /// @param recordTime A past second (UTC); transfers stamped at it are counted.
    function balanceOfAt(address holder, uint256 recordTime) external view returns (uint256 units);

    /// @notice Units outstanding when `recordTime` was over.
    function totalSupplyAt(uint256 recordTime) external view returns (uint256 units);

    /// @notice The bond's terms.
    function terms() external view returns (Terms memory);
}
