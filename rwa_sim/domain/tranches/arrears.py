"""Arrears by coupon and holder: paid in the order they were booked, so that no list is walked.

coupon k of a class:  due a_k short --booked--> prefix B_k = a_1 + ... + a_k
paid since issue P:   coupon k has been paid clamp(P - B_{k-1}, 0, a_k) of its arrears
"""

from __future__ import annotations

from rwa_sim.domain.waterfall import share_down


def coupon_arrears_paid_usd6(booked_before_usd6: int, arrears_usd6: int, paid_total_usd6: int) -> int:
    """What has been paid of one coupon's arrears.

    Args:
        booked_before_usd6: arrears booked for earlier coupons of the class, paid or not (B_{k-1}).
        arrears_usd6: arrears of this coupon when it was booked (a_k).
        paid_total_usd6: arrears paid to the class since issue (P).
    """
    return min(max(0, paid_total_usd6 - booked_before_usd6), arrears_usd6)


def holder_arrears_usd6(
    booked_before_usd6: int, arrears_usd6: int, paid_total_usd6: int, *, units: int, supply_units: int
) -> int:
    """A holder's part of what has been paid of one coupon's arrears, rounded down.

    Args:
        booked_before_usd6: as in `coupon_arrears_paid_usd6`.
        arrears_usd6: as there.
        paid_total_usd6: as there.
        units: held at the coupon's record time, by whoever was then the holder.
        supply_units: outstanding at that time, above 0.
    """
    paid_usd6 = coupon_arrears_paid_usd6(booked_before_usd6, arrears_usd6, paid_total_usd6)
    return share_down(paid_usd6, units, supply_units)
