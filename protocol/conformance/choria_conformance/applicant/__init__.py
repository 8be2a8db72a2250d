"""Cases for applicants: the suite is their door, honest or not."""
