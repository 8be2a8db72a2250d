"""Cases for clients: the suite is their broker and their nodes."""
