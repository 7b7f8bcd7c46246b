"""What the worker of `DiffRegistrationLib.worker` can be asked to do with landmarks: its `job` and each job's module.

The side that asks hands these jobs to the same client, and one process does the jobs of both.
"""
