"""A bank of lamp relays as a system for soak: what a package of somebody else's has to bring, and no more."""

from soak.schemas.language.registry import System

SYSTEM = System(
    "relay",
    language="relay_soak.language:LANGUAGE",
    model="relay_soak.model:ROOM",
    judge="relay_soak.judge:ROOM",
    targets="relay_soak.targets:ROOM",
    report="relay_soak.report:ROOM",
)
