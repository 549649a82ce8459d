// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IHoldable
/// @notice Units promised to a payee and guarded by a notary, while the holder stays holder of record.
/// @dev The shape of ERC-1996 with ids that nobody else can take: a hold's id is the hash of who placed it, whose
///      units it holds, and a reference of the placer's choice.
interface IHoldable {
    /// @notice Units on hold.
    /// @param holder Holder of record. @param expiresAt Last second at which the notary may execute (UTC).
    /// @param payee Who gets them. @param notary Who may execute. @param units What is still held.
    struct Hold {
        address holder;
        uint64 expiresAt;
        address payee;
        address notary;
        uint128 units;
    }

    error HoldExists(bytes32 holdId);
    /// @notice Never placed, executed whole, or released.
    error NoHold(bytes32 holdId);
    error HoldExpiryPassed(bytes32 holdId, uint256 expiresAt, uint256 nowSeconds);
    error HoldExceeded(bytes32 holdId, uint256 units, uint256 heldUnits);
    error NotNotary(bytes32 holdId, address actual, address expected);
    /// @notice Before expiry the notary or the payee may release; afterwards anyone.
    error NotReleaser(bytes32 holdId, address caller, uint256 expiresAt);
    error NotHolder(bytes32 holdId, address actual, address expected);
    /// @notice A renewed hold may not end earlier than promised.
    error HoldShortened(bytes32 holdId, uint256 expiresAt, uint256 promisedUntil);
    error EmptyHold();

    event HoldPlaced(
        bytes32 indexed holdId,
        address indexed from,
        address indexed to,
        address notary,
        uint256 units,
        uint256 expiresAt
    );
    event HoldExecuted(bytes32 indexed holdId, uint256 units, uint256 leftUnits);
    event HoldReleased(bytes32 indexed holdId, address indexed by, uint256 units);
    event HoldRenewed(bytes32 indexed holdId, uint256 expiresAt);

    /// @notice Holds units of the caller for `to`.
    /// @return holdId keccak256(caller, caller, ref).
    function hold(bytes32 ref, address to, address notary, uint256 units, uint64 expiresAt)
        external
        returns (bytes32 holdId);

    /// @notice Holds units of `from` for `to`; spends the caller's allowance, as executing needs none.
    /// @return holdId keccak256(caller, from, ref).
    function holdFrom(bytes32 ref, address from, address to, address notary, uint256 units, uint64 expiresAt)
        external
        returns (bytes32 holdId);

    /// @notice Delivers held units, all or a part. Notary only, by the expiry.
    function executeHold(bytes32 holdId, uint256 units) external;

    /// @notice Ends a hold; the units are free again.
    function releaseHold(bytes32 holdId) external;

    /// @notice Moves the expiry of a hold that has not expired. Holder only.
    function renewHold(bytes32 holdId, uint64 expiresAt) external;

    function holdOf(bytes32 holdId) external view returns (Hold memory);

    /// @notice Units of the holder on hold.
    function balanceOnHold(address holder) external view returns (uint256 units);

    /// @notice Balance less what is on hold.
    function netBalanceOf(address holder) external view returns (uint256 units);
}
