"""Checks and the teardown of a real run: made in helper threads, so that nothing they do delays the run.

`checking` decides when each is made; `perform` makes one, by a `command`, a `request` or a `query`; `answers` reads the answer.
`rows` makes events of it, which `beside` puts into the blocks of the target.
"""
