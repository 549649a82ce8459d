// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

import {IERC1404} from "../interfaces/IERC1404.sol";
import {IERC7943Fungible} from "../interfaces/IERC7943Fungible.sol";
import {IIdentityRegistry, IIdentitySubscriber} from "../interfaces/IIdentityRegistry.sol";
import {IRuleModule} from "../interfaces/IRuleModule.sol";
import {ITransferControl} from "../interfaces/ITransferControl.sol";
import {UnitRegister} from "./UnitRegister.sol";
import {Account, Common} from "./Words.sol";

uint256 constant MAX_MODULES = 4; // rule modules asked by one transfer

// one message a code, each as wide as the longest: a table costs half the bytecode of a chain of returns
uint8 constant LAST_CODE = 12;
uint256 constant MESSAGE_WIDTH = 20;
bytes constant MESSAGES =
    "no restriction      "
    "transfers paused    "
    "sender frozen       "
    "recipient frozen    "
    "no valid identity   "
    "class not admitted  "
    "units frozen or held"
    "lock-up not over    "
    "country pair        "
    "holding below lot   "
    "too many holders    "
    "refused by a module "
    "spender frozen      ";

// account flags
uint256 constant FROZEN = 1;
uint256 constant HAS_FROZEN_UNITS = 2;
uint256 constant HAS_HOLDS = 4;
uint256 constant RECOVERED = 8;

// switches of the common word
uint256 constant PAUSED = 1;
uint256 constant PAIRS_FORBIDDEN = 2;
uint256 constant PAIRS_ONLY = 4;
uint256 constant HAS_MODULES = 8;

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
        _common = _common.withRules(
            rules_.maxHolders, rules_.minLotUnits, rules_.lockedUntil, rules_.classMask
        ).withSwitch(PAIRS_FORBIDDEN, rules_.pairRule == PairRule.ListedForbidden)
            .withSwitch(PAIRS_ONLY, rules_.pairRule == PairRule.OnlyListed);

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
        _common = _common.withSwitch(HAS_MODULES, modules.length > 0);

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
        _common = _common.withIdentityVersion(version);

        emit IdentityRegistryAdded(registry);
    }

    /// @inheritdoc IIdentitySubscriber
    function identityChanged(address wallet, uint256 passport) external {
        require(msg.sender == _registry, OnlyIdentityRegistry(msg.sender, _registry));

        _accounts[wallet] = _accounts[wallet].withPassport(passport, _common.identityVersion());
    }

    /// @inheritdoc ITransferControl
    function pause() external onlyRole(ENFORCER_ROLE) {
        _common = _common.withSwitch(PAUSED, true);

        emit Paused(msg.sender);
    }

    /// @inheritdoc ITransferControl
    function unpause() external onlyRole(ENFORCER_ROLE) {
        _common = _common.withSwitch(PAUSED, false);

        emit Unpaused(msg.sender);
    }

    /// @inheritdoc ITransferControl
    function paused() public view returns (bool) {
        return _common.isOn(PAUSED);
    }

    /// @inheritdoc ITransferControl
    function rules() external view returns (Rules memory) {
        Common common = _common;
        PairRule pairRule = PairRule.Off;
        if (common.isOn(PAIRS_FORBIDDEN)) pairRule = PairRule.ListedForbidden;
        if (common.isOn(PAIRS_ONLY)) pairRule = PairRule.OnlyListed;
        // forge-lint: disable-start(unsafe-typecast) -- the fields have these widths
        return Rules({
            lockedUntil: uint40(common.lockedUntil()),
            minLotUnits: uint24(common.minLotUnits()),
            maxHolders: uint24(common.maxHolders()),
            classMask: uint16(common.classMask()),
            pairRule: pairRule
        });
        // forge-lint: disable-end(unsafe-typecast)
    }

    /// @inheritdoc ITransferControl
    function ruleModules() external view returns (address[] memory) {
        return _modules;
    }

    /// @inheritdoc ITransferControl
    function holderCount() external view returns (uint256) {
        return _common.holderCount();
    }

    function identityRegistry() public view virtual returns (address) {
        return _registry;
    }

    /* WHAT WOULD BE REFUSED */

    /// @inheritdoc IERC7943Fungible
    function canSend(address account) external view returns (bool) {
        return !_isFlagged(account, FROZEN);
    }

    /// @inheritdoc IERC7943Fungible
    function canReceive(address account) public view returns (bool) {
        Common common = _common;
        return _receiptRestriction(_stamped(account, common), common) == 0;
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
        Common common = _common;
        return _restriction(from, _accounts[from], to, _stamped(to, common), units, common);
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
        Common common = _common;
        Account sender = _accounts[from];
        require(
            from == address(0) || sender.units() >= units, ERC20InsufficientBalance(from, sender.units(), units)
        );
        Account receiver = _accounts[to];
        if (to != address(0)) {
            receiver = _stamped(to, common);
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
        Common common = _common;
        if (units > 0) _write(from, _accounts[from], to, _stamped(to, common), units, common);

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

        uint256 balance = _accounts[account].units();
        uint256 unfrozen = balance > frozenUnits ? balance - frozenUnits : 0;
        if (units > unfrozen) _setFrozenUnits(account, frozenUnits - (units - unfrozen));
    }

    function _setFlag(address account, uint256 flag, bool on) internal {
        _accounts[account] = _accounts[account].withFlag(flag, on);
    }

    function _isFlagged(address account, uint256 flag) internal view returns (bool) {
        return _accounts[account].has(flag);
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
            revert ERC7943InsufficientUnfrozenBalance(from, units, _freeUnits(from, _accounts[from].units()));
        }
        revert TransferRestricted(code, from, to, units);
    }

    function _restriction(
        address from,
        Account sender,
        address to,
        Account receiver,
        uint256 units,
        Common common
    ) internal view returns (uint8 code) {
        code = _partyRestriction(sender, receiver, common);
        if (code != 0) return code;
        if (sender.has(HAS_FROZEN_UNITS | HAS_HOLDS) && units > _freeUnits(from, sender.units())) return 6;
        if (block.timestamp < common.lockedUntil()) return 7;
        if (common.isOn(PAIRS_FORBIDDEN | PAIRS_ONLY)) {
            uint256 origin = _stamped(from, common).country();
            if (!_isPairAdmitted(origin, receiver.country(), common)) return 8;
        }
        if (from != to && units > 0) {
            bool leaves = sender.units() <= units;
            if (!leaves && sender.units() - units < common.minLotUnits()) return 9;
            if (_isBelowLot(receiver, units, common)) return 9;
            if (!leaves && _isOneTooMany(receiver, common)) return 10;
        }
        if (common.isOn(HAS_MODULES) && !_doModulesAllow(from, to, units)) return 11;
        return 0;
    }

    /// @dev What stops a transfer that was promised before: only what concerns the parties.
    function _partyRestriction(Account sender, Account receiver, Common common) internal view returns (uint8 code) {
        if (common.isOn(PAUSED)) return 1;
        if (sender.has(FROZEN)) return 2;
        return _receiptRestriction(receiver, common);
    }

    /// @dev The account with the passport of the registry in force; the caller writes it back with the units.
    function _stamped(address wallet, Common common) internal view returns (Account account) {
        account = _accounts[wallet];
        uint256 version = common.identityVersion();
        if (account.version() == version) return account;
        return account.withPassport(version == 0 ? 0 : _passportOf(wallet), version);
    }

    function _issueRestriction(Account receiver, uint256 units, Common common) private view returns (uint8 code) {
        if (common.isOn(PAUSED)) return 1;
        code = _receiptRestriction(receiver, common);
        if (code != 0 || units == 0) return code;
        if (_isBelowLot(receiver, units, common)) return 9;
        if (_isOneTooMany(receiver, common)) return 10;
        return 0;
    }

    function _receiptRestriction(Account receiver, Common common) private view returns (uint8 code) {
        if (receiver.has(FROZEN)) return 3;
        if (common.identityVersion() == 0) return 0;
        if (block.timestamp >= receiver.validUntil()) return 4;
        uint256 mask = common.classMask();
        if (mask != 0 && mask & (1 << receiver.investorClass()) == 0) return 5;
        return 0;
    }

    function _isBelowLot(Account receiver, uint256 units, Common common) private pure returns (bool) {
        uint256 lot = common.minLotUnits();
        return units < lot && receiver.units() + units < lot;
    }

    function _isOneTooMany(Account receiver, Common common) private pure returns (bool) {
        uint256 most = common.maxHolders();
        return most != 0 && receiver.units() == 0 && common.holderCount() >= most;
    }

    function _isPairAdmitted(uint256 from, uint256 to, Common common) private view returns (bool) {
        bool listed = _pairListed[_pair(from, to)] || _pairListed[_pair(from, 0)] || _pairListed[_pair(0, to)];
        return listed == common.isOn(PAIRS_ONLY);
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

    function _pair(uint256 from, uint256 to) private pure returns (uint256) {
        return from << 16 | to;
    }
}
