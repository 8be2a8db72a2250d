"""Cases for nodes: the suite is their broker and their caller."""
