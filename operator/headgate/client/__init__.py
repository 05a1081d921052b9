"""A client of the HTTP API, for programs that know nothing else of Headgate."""
