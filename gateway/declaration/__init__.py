"""The declarative file: one noun a file, each read, brought about, and exported there."""
