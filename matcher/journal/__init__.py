"""The journal: segments of records in the files of one directory."""
