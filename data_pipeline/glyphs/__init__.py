"""The default data: characters of thirteen writing systems, each in 60 typefaces."""
