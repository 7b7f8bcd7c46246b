"""A template head that deforms as heads of the population do, laid over an X-ray by its pixels."""
