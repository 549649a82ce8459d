"""A trade whose legs are on two chains: played step by step, with parties who may walk away.

    config ─► trades ─► for each variant: chains (two engines) ─► hashlock | keys ─► Outcome ─► Summary
                                             prices ──┘  (only where a party chooses)

Every step is executed by the contracts on both chains; delays, prices and conduct are modelled.
"""
