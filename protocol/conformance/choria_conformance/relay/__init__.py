"""Cases for relays: the suite is the brokers of both networks."""
