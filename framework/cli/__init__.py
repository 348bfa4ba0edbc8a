"""The command `penstock`: one file per command, each a thin layer over what Python code could call as well."""
