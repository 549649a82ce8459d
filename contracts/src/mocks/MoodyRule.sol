// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title MoodyRule
/// @notice A rule module that answers as told: yes, no, by reverting, in two words, or with a number that is neither.
contract MoodyRule {
    enum Mood {
        Allows,
        Refuses,
        Reverts,
        AnswersTwoWords,
        AnswersTwo
    }

    error NotToday();

    Mood public mood;

    function setMood(Mood next) external {
        mood = next;
    }

    /// @dev A fallback returns bytes as they are, so the answer need not fit the interface.
    fallback(bytes calldata) external returns (bytes memory) {
        require(mood != Mood.Reverts, NotToday());
        if (mood == Mood.AnswersTwoWords) return abi.encode(1, 1);
        if (mood == Mood.AnswersTwo) return abi.encode(2);
        return abi.encode(mood == Mood.Allows);
    }
}
