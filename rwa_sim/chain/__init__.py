"""Everything that knows a chain: engines, built contracts, revert decoding."""
