"""The window of the module, one file a section, each with a Designer file of its name in Resources/UI.

The only package that imports qt. Sections know the session and nothing of each other; what they do is done by
`mrml.registration_logic`.
"""
