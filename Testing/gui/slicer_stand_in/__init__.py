"""A stand-in for the Qt half of 3D Slicer, for tests of module windows without a Slicer.

It makes `qt`, `ctk`, `slicer.app`, the MRML widgets, `slicer.ScriptedLoadableModule`, `slicer.parameterNodeWrapper`,
`slicer.i18n`, `slicer.packaging`, `SampleData` and `PyTorchUtils` importable. Scene, nodes, logics, layout and the
whole of `slicer.util` are the real ones of the slicer-core package; widgets are PySide6's, drawn on no screen, dressed
in the habits of PythonQt: properties are attributes, signals are connected by their C++ signature. A name that was not
recorded in a running Slicer (`names.json`, made by `record_names.py`) is refused.

It is stricter than Slicer in this: a text property takes only `str` and an integer property no fraction (PythonQt
converts both without a word); connecting to a signal that does not exist raises (Slicer only prints a warning);
exceptions in callbacks, observers and timers fail the test (Slicer prints them); children and dynamic properties of a
widget are no attributes of it.

It does not have: rendering of 3D views, interaction in slice views, the DICOM module, CLI modules, extensions, the
subject hierarchy's views, the Python console, real dialogs (a test says what the user answers) and package
installation. What runs here still has to be seen once in a real Slicer.

One idea a file. `recorded_names`: what exists in Slicer. `pythonqt` with `conversion` and `connections`: the habits.
`qt_kit`, `ctk_widgets`, `ctk_numbers`, `ctk_paths`, `mrml_widgets`, `node_selector`, `views`: the widgets. `ui_files`:
Qt Designer's files. `parameter_node` with `parameter_types`, `parameter_annotations`, `parameter_gui`.
`scripted_module`: the four base classes. `application` with `modules`, `main_window`, `layout`, `node_files`.
`installers`: packages and torch. `session`: what a test sets and looks at. `event_loop`: waiting, pictures, the meter.
`observers`: on MRML objects. `installation`: puts all of it where `import` finds it.
"""

import ctypes
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

if sys.version_info < (3, 12):
    # With each signal PySide 6.12 gives back a reference to one of these that it never took; at none left Python ends.
    # From 3.12 on they are immortal.
    for _forever in (None, True, False):
        ctypes.c_ssize_t.from_address(id(_forever)).value += 1 << 40
