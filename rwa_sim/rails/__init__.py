"""The rails: one trade tape in, settlement and coupon records out."""
