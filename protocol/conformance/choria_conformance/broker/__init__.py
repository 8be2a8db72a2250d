"""Cases for brokers."""
