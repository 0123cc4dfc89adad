"""Probabilities too small for brute force: of an abort condition that holds, or of an objective that is broken.

`events` says what is looked for and how near a run came to it; `splitting` climbs towards it in levels (needs a value that comes
nearer by degrees), `tilting` raises the rates of faults and weighs what comes of it (needs faults by rate). Both are unbiased:
what was tuned was tuned on other runs. `estimate` has the interval, `search` decides which of them answers.
"""
