-- Every coupon payment back to the signed readings it rests on.
-- One row for each payment and period: the cash credited for the period, the final report that
-- carried it, and the signed readings whose register the report states.
SELECT
    p.instrument,
    p.kind,
    p.coupon_id,
    p.holder,
    p.amount_usd6,
    c.period_id,
    c.amount_usd6                       AS credited_usd6,
    c.energy_wh,
    r.digest                            AS report_digest,
    r.signature_count,
    r.readings_root,
    count(m.seq)                        AS reading_count,
    min(m.seq)                          AS first_seq,
    max(m.seq)                          AS last_seq,
    max(m.register_wh)                  AS register_wh,
    arg_max(m.signature, m.seq)         AS last_reading_signature
FROM payments p
JOIN allocations a ON a.distribution_id = p.distribution_id
JOIN credits c     ON c.period_id BETWEEN a.first_period_id AND a.last_period_id
JOIN reports r     ON r.period_id = c.period_id
LEFT JOIN readings m ON m.period_id = c.period_id
GROUP BY ALL
ORDER BY p.instrument, p.coupon_id, p.holder, c.period_id
