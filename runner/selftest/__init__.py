"""Proof that a soak finds bugs: runs against an orchestrator with planted defects, and against a sound one."""
