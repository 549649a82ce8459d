"""Every class of oracle fault, injected into the real path, and what it paid wrongly.

series ─► fault ─► intake ─► nodes ─► invoice ─► bank ─► report ─► chain ─► window ─► payout
          (catalogue)  delivery      billing            desk                      │
                                                        against the truth's payout ◄┘
"""
