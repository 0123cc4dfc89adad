"""The system `gateway`: tenants that send HTTP requests of several kinds to one service."""
