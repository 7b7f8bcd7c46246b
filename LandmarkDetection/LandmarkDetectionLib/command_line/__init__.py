"""`fluororeg landmarks`: the verbs of the landmark packages."""
