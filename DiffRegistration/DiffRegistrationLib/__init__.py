"""Registration of CT to X-ray images: the engine behind the Slicer module, the command `fluororeg` and scripts.

Data flows one way: file → CT and radiograph → projector → solver → result → transform or report.
"""

__version__ = "0.1.0"
