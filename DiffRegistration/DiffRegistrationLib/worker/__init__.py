"""The child process that does long work, and what starts it, talks with it and ends it.

The side that asks (Slicer, a script): `client` with `job`, `job_files` and `frames`. The side that works:
`python -m DiffRegistrationLib.worker`, which reads one job a line from stdin and answers with `messages`, one a line.
"""
