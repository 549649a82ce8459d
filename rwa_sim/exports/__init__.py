"""A run in the words of ISO 20022, and its tables as files.

run folder --run_folder--> records --sese_023 sese_025 camt_054 seev_031--> messages --write--> XML files
                                 └─────────────────────tables────────────────────────────────> CSV, Parquet
"""
