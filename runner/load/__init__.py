"""Makes HTTP load in processes of its own, on this machine or others, and gives what happened as events.

The runner holds a `generator.Generator` and never imports gevent. A generator process (`python -m soak.runner.load`) sends requests
itself, or is the master of workers that do; Locust connects them, and its HTTP client sends. Every process computes its share of
the plan (`shares`, `users`, `arrivals`), and tells in packed `rows` what it sent when and what came back; `events` makes blocks
of these, complete up to the time until which every process has told everything.
"""
