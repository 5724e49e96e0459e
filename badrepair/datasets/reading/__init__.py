"""How data sets are found, fetched and turned into pixels."""
