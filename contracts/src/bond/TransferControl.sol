// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Passport} from "../compliance/Passport.sol";
import {IERC1404} from "../interfaces/IERC1404.sol";
import {IERC7943Fungible} from "../interfaces/IERC7943Fungible.sol";
import {IIdentityRegistry, IIdentitySubscriber} from "../interfaces/IIdentityRegistry.sol";
import {IRuleModule} from "../interfaces/IRuleModule.sol";
import {ITransferControl} from "../interfaces/ITransferControl.sol";
import {UnitRegister} from "./UnitRegister.sol";

uint256 constant MAX_MODULES = 4; // rule modules asked by one transfer

// one message a code, each as wide as the longest: a table costs half the bytecode of a chain of returns
uint8 constant LAST_CODE = 12;
uint256 constant MESSAGE_WIDTH = 22;
bytes constant MESSAGES =
    "no restriction        "
    "transfers paused      "
    "sender frozen         "
    "recipient frozen      "
    "no valid identity     "
    "class not admitted    "
    "units frozen or held  "
    "lock-up not over      "
    "countries not admitted"
    "holding below lot     "
    "too many holders      "
    "refused by a module   "
    "spender frozen        ";

// account flags
uint8 constant FROZEN = 1;
uint8 constant HAS_FROZEN_UNITS = 2;
uint8 constant HAS_HOLDS = 4;
uint8 constant RECOVERED = 8;

// switches of the common word
uint8 constant PAUSED = 1;
uint8 constant PAIRS_FORBIDDEN = 2;
uint8 constant PAIRS_ONLY = 4;
uint8 constant HAS_MODULES = 8;

/// @title TransferControl
/// @notice The rules that a transfer must pass.
///
/// COST. What the rules need lies in the words that a transfer reads anyway: the passports beside the balances, the
/// parameters beside the record dates. Only country pairs and rule modules read more, and only when they are on.
/// PASSPORTS. The registry pushes them when an investor is registered, changed or removed; those it knew before the bond
/// subscribed are fetched on first receipt. `identityVersion` makes all copies void at once when the registry is
/// replaced. 0 means that no registry is set and everybody is eligible.
/// SENDERS. A lapsed identity stops receipts, not sales: an investor can always leave. To stop sales, freeze.
/// ROLES. Rules changes the rules: give it to a time-lock alone. Enforcer pauses and freezes.
/// LIVENESS. A registry or module that reverts makes its rule refuse; the checks themselves never revert.
abstract contract TransferControl is ITransferControl, UnitRegister, AccessControl {
    bytes32 public constant RULES_ROLE = keccak256("RULES_ROLE");
    bytes32 public constant ENFORCER_ROLE = keccak256("ENFORCER_ROLE");

    address private _registry;
    uint8 private _registriesUsed; // number of the last registry, so that no copy of an earlier one counts again
    address[] private _modules;
    mapping(uint256 pair => bool) private _pairListed; // from << 16 | to
    mapping(address account => uint256) private _frozenUnits; // [units], may exceed the balance
    mapping(address account => uint256) internal _heldUnits; // [units]

    /* RULES */

    /// @inheritdoc ITransferControl
    function setRules(Rules calldata rules_) external onlyRole(RULES_ROLE) {
        Common memory common = _readCommon();
        common.lockedUntil = rules_.lockedUntil;
        common.minLotUnits = rules_.minLotUnits;
        common.maxHolders = rules_.maxHolders;
        common.classMask = rules_.classMask;
        common.switches &= ~(PAIRS_FORBIDDEN | PAIRS_ONLY);
        if (rules_.pairRule == PairRule.ListedForbidden) common.switches |= PAIRS_FORBIDDEN;
        if (rules_.pairRule == PairRule.OnlyListed) common.switches |= PAIRS_ONLY;
        _common = common;

        emit RulesSet(rules_);
    }

    /// @inheritdoc ITransferControl
    function setCountryPair(uint16 from, uint16 to, bool listed) external onlyRole(RULES_ROLE) {
        _pairListed[_pair(from, to)] = listed;

        emit CountryPairSet(from, to, listed);
    }

    /// @inheritdoc ITransferControl
    function setRuleModules(address[] calldata modules) external onlyRole(RULES_ROLE) {
        require(modules.length <= MAX_MODULES, TooManyModules(modules.length, MAX_MODULES));
        for (uint256 i = 0; i < modules.length; ++i) {
            require(modules[i].code.length > 0, NotAContract(modules[i]));
        }

        _modules = modules;
        _setSwitch(HAS_MODULES, modules.length > 0);

        emit RuleModulesSet(modules);
    }

    /// @inheritdoc ITransferControl
    function setIdentityRegistry(address registry) external onlyRole(RULES_ROLE) {
        uint8 version = 0;
        if (registry != address(0)) {
            require(IIdentityRegistry(registry).isSubscribed(address(this)), BondNotSubscribed(registry));
            require(_registriesUsed < type(uint8).max, TooManyIdentityVersions());
            version = ++_registriesUsed;
        }

        _registry = registry;
        _common.identityVersion = version;

        emit IdentityRegistryAdded(registry);
    }

    /// @inheritdoc IIdentitySubscriber
    function identityChanged(address wallet, uint256 passport) external {
        require(msg.sender == _registry, OnlyIdentityRegistry(msg.sender, _registry));

        Account memory account = _readAccount(wallet);
        (account.country, account.investorClass, account.validUntil) = Passport.unpack(passport);
        account.identityVersion = _common.identityVersion;
        _writeAccount(wallet, account);
    }

    /// @inheritdoc ITransferControl
    function pause() external onlyRole(ENFORCER_ROLE) {
        _setSwitch(PAUSED, true);

        emit Paused(msg.sender);
    }

    /// @inheritdoc ITransferControl
    function unpause() external onlyRole(ENFORCER_ROLE) {
        _setSwitch(PAUSED, false);

        emit Unpaused(msg.sender);
    }

    /// @inheritdoc ITransferControl
    function paused() public view returns (bool) {
        return _common.switches & PAUSED != 0;
    }

    /// @inheritdoc ITransferControl
    function rules() external view returns (Rules memory) {
        Common memory common = _readCommon();
        PairRule pairRule = PairRule.Off;
        if (common.switches & PAIRS_FORBIDDEN != 0) pairRule = PairRule.ListedForbidden;
        if (common.switches & PAIRS_ONLY != 0) pairRule = PairRule.OnlyListed;
        return Rules({
            lockedUntil: common.lockedUntil,
            minLotUnits: common.minLotUnits,
            maxHolders: common.maxHolders,
            classMask: common.classMask,
            pairRule: pairRule
        });
    }

    /// @inheritdoc ITransferControl
    function isCountryPairListed(uint16 from, uint16 to) external view returns (bool) {
        return _pairListed[_pair(from, to)];
    }

    /// @inheritdoc ITransferControl
    function ruleModules() external view returns (address[] memory) {
        return _modules;
    }

    /// @inheritdoc ITransferControl
    function holderCount() external view returns (uint256) {
        return _common.holderCount;
    }

    function identityRegistry() public view virtual returns (address) {
        return _registry;
    }

    /* WHAT WOULD BE REFUSED */

    /// @inheritdoc IERC7943Fungible
    function canSend(address account) external view returns (bool) {
        return _accounts[account].flags & FROZEN == 0;
    }

    /// @inheritdoc IERC7943Fungible
    function canReceive(address account) public view returns (bool) {
        Common memory common = _readCommon();
        Account memory receiver = _readAccount(account);
        _stampPassport(account, receiver, common);
        return _receiptRestriction(receiver, common) == 0;
    }

    /// @inheritdoc IERC7943Fungible
    function canTransfer(address from, address to, uint256 units) external view returns (bool) {
        return detectTransferRestriction(from, to, units) == 0;
    }

    /// @inheritdoc IERC7943Fungible
    function getFrozenTokens(address account) public view returns (uint256) {
        return _frozenUnits[account];
    }

    /// @inheritdoc IERC1404
    function detectTransferRestriction(address from, address to, uint256 units) public view returns (uint8 code) {
        Common memory common = _readCommon();
        Account memory receiver = _readAccount(to);
        _stampPassport(to, receiver, common);
        return _restriction(from, _readAccount(from), to, receiver, units, common);
    }

    /// @inheritdoc IERC1404
    function messageForTransferRestriction(uint8 code) external pure returns (string memory) {
        if (code > LAST_CODE) return "unknown code";
        bytes memory all = MESSAGES;
        uint256 start = uint256(code) * MESSAGE_WIDTH;
        uint256 length = MESSAGE_WIDTH;
        while (all[start + length - 1] == " ") --length;
        bytes memory message = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            message[i] = all[start + i];
        }
        return string(message);
    }

    /// @notice Moves units for their holder; a frozen spender may not.
    function transferFrom(address from, address to, uint256 units) public virtual override returns (bool) {
        _requireSpender();

        return super.transferFrom(from, to, units);
    }

    /* INTERNALS */

    /// @dev Every transfer, issue and burn of OpenZeppelin's ERC-20 ends here.
    function _update(address from, address to, uint256 units) internal override {
        Common memory common = _readCommon();
        Account memory sender = _readAccount(from);
        Account memory receiver = _readAccount(to);
        require(from == address(0) || sender.units >= units, ERC20InsufficientBalance(from, sender.units, units));
        if (to != address(0)) {
            _stampPassport(to, receiver, common);
            uint8 code = from == address(0)
                ? _issueRestriction(receiver, units, common)
                : _restriction(from, sender, to, receiver, units, common);
            if (code != 0) _refuse(code, from, to, units);
        }

        if (from != to && units > 0) _write(from, sender, to, receiver, units, common);

        emit Transfer(from, to, units);
    }

    /// @dev Moves units without asking the rules: forced, recovered, or promised before. The caller checks the balance.
    function _moveFreely(address from, address to, uint256 units) internal {
        Common memory common = _readCommon();
        Account memory receiver = _readAccount(to);
        _stampPassport(to, receiver, common);
        if (units > 0) _write(from, _readAccount(from), to, receiver, units, common);

        emit Transfer(from, to, units);
    }

    function _setFrozenUnits(address account, uint256 units) internal {
        _frozenUnits[account] = units;
        _setFlag(account, HAS_FROZEN_UNITS, units > 0);

        emit Frozen(account, units);
    }

    /// @dev Thaws what taking `units` needs beyond the free part, before the units move.
    function _thawFor(address account, uint256 units) internal {
        uint256 frozenUnits = _frozenUnits[account];
        if (frozenUnits == 0) return;

        uint256 balance = _accounts[account].units;
        uint256 unfrozen = balance > frozenUnits ? balance - frozenUnits : 0;
        if (units > unfrozen) _setFrozenUnits(account, frozenUnits - (units - unfrozen));
    }

    function _setFlag(address account, uint8 flag, bool on) internal {
        uint8 flags = _accounts[account].flags;
        _accounts[account].flags = on ? flags | flag : flags & ~flag;
    }

    function _isFlagged(address account, uint8 flag) internal view returns (bool) {
        return _accounts[account].flags & flag != 0;
    }

    /// @dev Frozen and held units both reduce what is free; together they may exceed the balance.
    function _freeUnits(address holder, uint256 balance) internal view returns (uint256) {
        uint256 heldUnits = _heldUnits[holder];
        uint256 netUnits = balance > heldUnits ? balance - heldUnits : 0;
        uint256 frozenUnits = _frozenUnits[holder];
        return netUnits > frozenUnits ? netUnits - frozenUnits : 0;
    }

    function _requireSpender() internal view {
        require(!_isFlagged(msg.sender, FROZEN), ERC7943CannotSend(msg.sender));
    }

    function _refuse(uint8 code, address from, address to, uint256 units) internal view {
        if (code == 2) revert ERC7943CannotSend(from);
        if (code >= 3 && code <= 5) revert ERC7943CannotReceive(to);
        if (code == 6) {
            revert ERC7943InsufficientUnfrozenBalance(from, units, _freeUnits(from, _accounts[from].units));
        }
        revert TransferRestricted(code, from, to, units);
    }

    function _restriction(
        address from,
        Account memory sender,
        address to,
        Account memory receiver,
        uint256 units,
        Common memory common
    ) internal view returns (uint8 code) {
        code = _partyRestriction(sender, receiver, common);
        if (code != 0) return code;
        if (sender.flags & (HAS_FROZEN_UNITS | HAS_HOLDS) != 0 && units > _freeUnits(from, sender.units)) return 6;
        if (block.timestamp < common.lockedUntil) return 7;
        if (common.switches & (PAIRS_FORBIDDEN | PAIRS_ONLY) != 0) {
            _stampPassport(from, sender, common);
            if (!_isPairAdmitted(sender.country, receiver.country, common)) return 8;
        }
        if (from != to && units > 0) {
            bool leaves = sender.units <= units;
            if (!leaves && sender.units - units < common.minLotUnits) return 9;
            if (_isBelowLot(receiver, units, common)) return 9;
            if (!leaves && _isOneTooMany(receiver, common)) return 10;
        }
        if (common.switches & HAS_MODULES != 0 && !_doModulesAllow(from, to, units)) return 11;
        return 0;
    }

    /// @dev What stops a transfer that was promised before: only what concerns the parties.
    function _partyRestriction(Account memory sender, Account memory receiver, Common memory common)
        internal
        view
        returns (uint8 code)
    {
        if (common.switches & PAUSED != 0) return 1;
        if (sender.flags & FROZEN != 0) return 2;
        return _receiptRestriction(receiver, common);
    }

    /// @dev The passport in memory is that of the registry in force; the caller writes it back with the units.
    function _stampPassport(address wallet, Account memory account, Common memory common) internal view {
        if (account.identityVersion == common.identityVersion) return;
        (account.country, account.investorClass, account.validUntil) =
            common.identityVersion == 0 ? (0, 0, 0) : Passport.unpack(_passportOf(wallet));
        account.identityVersion = common.identityVersion;
    }

    function _setSwitch(uint8 bit, bool on) private {
        uint8 switches = _common.switches;
        _common.switches = on ? switches | bit : switches & ~bit;
    }

    function _issueRestriction(Account memory receiver, uint256 units, Common memory common)
        private
        view
        returns (uint8 code)
    {
        if (common.switches & PAUSED != 0) return 1;
        code = _receiptRestriction(receiver, common);
        if (code != 0 || units == 0) return code;
        if (_isBelowLot(receiver, units, common)) return 9;
        if (_isOneTooMany(receiver, common)) return 10;
        return 0;
    }

    function _receiptRestriction(Account memory receiver, Common memory common) private view returns (uint8 code) {
        if (receiver.flags & FROZEN != 0) return 3;
        if (common.identityVersion == 0) return 0;
        if (block.timestamp >= receiver.validUntil) return 4;
        if (common.classMask != 0 && common.classMask & (uint256(1) << receiver.investorClass) == 0) return 5;
        return 0;
    }

    function _isBelowLot(Account memory receiver, uint256 units, Common memory common) private pure returns (bool) {
        return units < common.minLotUnits && receiver.units + units < common.minLotUnits;
    }

    function _isOneTooMany(Account memory receiver, Common memory common) private pure returns (bool) {
        return common.maxHolders != 0 && receiver.units == 0 && common.holderCount >= common.maxHolders;
    }

    function _isPairAdmitted(uint16 from, uint16 to, Common memory common) private view returns (bool) {
        bool listed = _pairListed[_pair(from, to)] || _pairListed[_pair(from, 0)] || _pairListed[_pair(0, to)];
        return listed == (common.switches & PAIRS_ONLY != 0);
    }

    /// @dev Low level, so that a module without an answer refuses and does not revert.
    function _doModulesAllow(address from, address to, uint256 units) private view returns (bool) {
        uint256 count = _modules.length;
        for (uint256 i = 0; i < count; ++i) {
            (bool answered, bytes memory answer) =
                _modules[i].staticcall(abi.encodeCall(IRuleModule.isAllowed, (address(this), from, to, units)));
            if (!answered || answer.length != 32 || uint256(bytes32(answer)) != 1) return false;
        }
        return true;
    }

    /// @dev Low level, so that a registry without an answer means no identity.
    function _passportOf(address wallet) private view returns (uint256) {
        (bool answered, bytes memory answer) =
            _registry.staticcall(abi.encodeCall(IIdentityRegistry.passportOf, (wallet)));
        return answered && answer.length == 32 ? uint256(bytes32(answer)) : 0;
    }

    function _pair(uint16 from, uint16 to) private pure returns (uint256) {
        return uint256(from) << 16 | to;
    }
}
