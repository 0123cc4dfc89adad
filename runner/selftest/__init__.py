"""Proof that a soak finds bugs: runs against a target with planted defects, and against a sound one."""
