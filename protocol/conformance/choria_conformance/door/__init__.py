"""Cases for enrolment doors: the suite is their applicants."""
