"""Cohorts: the cases of a manifest registered or tracked, in processes of this machine or on a Dask cluster."""
