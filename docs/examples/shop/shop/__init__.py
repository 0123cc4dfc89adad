"""A small shop that charges for orders with Celery."""
