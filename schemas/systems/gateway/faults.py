"""What can go wrong with a gateway and what it stands on."""

from enum import StrEnum

from soak.schemas.language.faults import FaultSpec, fault_table
from soak.schemas.stream.events import Kind


class GatewayFault(StrEnum):
    """What goes wrong."""

    GATEWAY_KILL = "gateway_kill"
    STORE_OUTAGE = "store_outage"
    STORE_SLOW = "store_slow"
    LOCK_OUTAGE = "lock_outage"


PROCESS = "gateway"
"""The name of the processes of the service."""

FAULTS = fault_table(
    (
        FaultSpec(GatewayFault.GATEWAY_KILL, (Kind.PROCESS_EXITED,)),
        *(
            FaultSpec(each, (Kind.FAULT_SEEN,))
            for each in (GatewayFault.STORE_OUTAGE, GatewayFault.STORE_SLOW, GatewayFault.LOCK_OUTAGE)
        ),
    )
)
"""By type. Of an outage, model and target note `fault.seen` when a request meets it."""
