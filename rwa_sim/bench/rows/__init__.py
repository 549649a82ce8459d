"""Every row of the bench, bases before what is compared to them. A further row is a file here and a line below."""

from rwa_sim.bench.row import Row
from rwa_sim.bench.rows import bulk, coupon, dvp, machines, million, netting, sweep

ROWS: tuple[Row, ...] = (
    *dvp.ROWS,
    *bulk.ROWS,
    *netting.ROWS,
    *coupon.ROWS,
    *million.ROWS,
    *machines.ROWS,
    sweep.ROW,
)
