"""Measurements that the documentation's figures come from; each prints what it was run on."""
