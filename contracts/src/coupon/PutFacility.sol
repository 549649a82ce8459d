// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IBondToken} from "../interfaces/IBondToken.sol";
import {IPutFacility} from "../interfaces/IPutFacility.sol";
import {IWaterfall} from "../interfaces/IWaterfall.sol";
import {BPS} from "../libraries/CouponMath.sol";

/// @title PutFacility
/// @notice The put of one class: in its window a holder sells units to the writer at the agreed price.
///
/// LIFE. The writer allows this contract its cash -> window opens -> holders put -> window closes.
/// PRICE. A part of the class's outstanding principal, by units; arrears stay with the holders of their record times.
/// ROUNDINGS. One, down: in favour of the writer.
/// LIVENESS. The writer's cash is an allowance and may be missing; the put then fails whole.
contract PutFacility is IPutFacility, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    IBondToken public immutable BOND;
    IERC20 public immutable CASH;
    IWaterfall public immutable WATERFALL;
    uint256 public immutable CLASS_INDEX;
    address public immutable WRITER;
    uint32 public immutable PRICE_BPS; // [1e4 of outstanding]
    uint64 public immutable OPENS_AT; // [UTC seconds]
    uint64 public immutable CLOSES_AT; // [UTC seconds]

    /// @param waterfall Deal of the class. @param classIndex Its place, senior first, from 0.
    /// @param writer Who buys. @param priceBps Price in 1e4 of the outstanding principal.
    /// @param opensAt First second of the window (UTC). @param closesAt First second after it.
    constructor(
        IWaterfall waterfall,
        uint256 classIndex,
        address writer,
        uint32 priceBps,
        uint64 opensAt,
        uint64 closesAt
    ) {
        require(classIndex < waterfall.classCount(), InvalidPut("classIndex", classIndex, waterfall.classCount()));
        require(priceBps > 0, InvalidPut("priceBps", priceBps, 1));
        require(closesAt > opensAt, InvalidPut("closesAt", closesAt, opensAt));

        WATERFALL = waterfall;
        CLASS_INDEX = classIndex;
        BOND = IBondToken(waterfall.classTerms(classIndex).bond);
        CASH = IERC20(waterfall.dealTerms().cash);
        WRITER = writer;
        PRICE_BPS = priceBps;
        OPENS_AT = opensAt;
        CLOSES_AT = closesAt;
    }

    /// @inheritdoc IPutFacility
    function put(uint256 units) external nonReentrant {
        bool open = block.timestamp >= OPENS_AT && block.timestamp < CLOSES_AT;
        require(open, PutClosed(block.timestamp, OPENS_AT, CLOSES_AT));
        uint256 amountUsd6 = quoteUsd6(units);
        require(amountUsd6 > 0, NothingToPut(units));

        emit Put(msg.sender, units, amountUsd6);

        IERC20(address(BOND)).safeTransferFrom(msg.sender, WRITER, units);
        CASH.safeTransferFrom(WRITER, msg.sender, amountUsd6);
    }

    /// @inheritdoc IPutFacility
    function quoteUsd6(uint256 units) public view returns (uint256 amountUsd6) {
        uint256 supplyUnits = BOND.totalSupply();
        if (supplyUnits == 0) return 0;
        uint256 outstandingUsd6 = WATERFALL.classState(CLASS_INDEX).outstandingUsd6;
        return Math.mulDiv(outstandingUsd6 * PRICE_BPS, units, supplyUnits * BPS);
    }
}
