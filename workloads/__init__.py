"""Generators of workloads and readers of public trace formats, one module per kind."""
