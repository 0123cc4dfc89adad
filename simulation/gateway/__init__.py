"""The model of a gateway: requests, workers, a store, a chain for each tenant, an outbox."""
