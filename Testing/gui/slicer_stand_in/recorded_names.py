"""Which names a running Slicer has, as recorded in names.json."""

from __future__ import annotations

import json
import keyword
from functools import cache
from pathlib import Path
from typing import Any

NAMES = Path(__file__).with_name("names.json")

# The classes that the stand-in offers. `record_names.py` takes their members from a recording of a running Slicer.
OFFERED: dict[str, tuple[str, ...]] = {
    "qt": (
        *(
            "QAbstractItemView",
            "QAction",
            "QApplication",
            "QButtonGroup",
            "QCheckBox",
            "QColor",
            "QComboBox",
            "QCursor",
        ),
        *(
            "QDesktopServices",
            "QDialog",
            "QDialogButtonBox",
            "QDoubleSpinBox",
            "QElapsedTimer",
            "QEvent",
            "QEventLoop",
        ),
        *("QFileDialog", "QFileInfo", "QFont", "QFormLayout", "QFrame", "QGridLayout", "QGroupBox", "QHBoxLayout"),
        *("QHeaderView", "QIcon", "QImage", "QItemSelectionModel", "QKeySequence", "QLabel", "QLayout", "QLineEdit"),
        *("QListWidget", "QListWidgetItem", "QMainWindow", "QMenu", "QMessageBox", "QObject", "QPainter", "QPixmap"),
        *(
            "QPlainTextEdit",
            "QProcessEnvironment",
            "QProgressBar",
            "QProgressDialog",
            "QPushButton",
            "QRadioButton",
            "QScrollArea",
        ),
        *("QScrollBar", "QSettings", "QShortcut", "QSize", "QSizePolicy", "QSlider", "QSpacerItem", "QSpinBox"),
        *("QSplitter", "QStackedWidget", "QStandardPaths", "QTabWidget", "QTableWidget", "QTableWidgetItem"),
        *("QTemporaryDir", "QTextBrowser", "QTextEdit", "QTime", "QTimer", "QToolButton", "QToolTip", "QTreeWidget"),
        *("QTreeWidgetItem", "QUrl", "QVBoxLayout", "QWidget"),
    ),
    "ctk": (
        *("ctkCollapsibleButton", "ctkCollapsibleGroupBox", "ctkComboBox", "ctkDirectoryButton", "ctkDoubleSpinBox"),
        *("ctkFittedTextBrowser", "ctkMenuButton", "ctkMessageBox", "ctkPathLineEdit", "ctkPushButton"),
        "ctkSliderWidget",
    ),
    "slicer": (
        *(
            "qMRMLCheckableNodeComboBox",
            "qMRMLCollapsibleButton",
            "qMRMLNodeComboBox",
            "qMRMLPlotView",
            "qMRMLPlotWidget",
            "qMRMLSequenceBrowserPlayWidget",
        ),
        *("qMRMLSequenceBrowserSeekWidget", "qMRMLSliceControllerWidget", "qMRMLSliceView", "qMRMLSliceWidget"),
        *(
            "qMRMLSliderWidget",
            "qMRMLSpinBox",
            "qMRMLTableView",
            "qMRMLThreeDView",
            "qMRMLThreeDWidget",
            "qMRMLWidget",
        ),
        *("qSlicerAbstractModule", "qSlicerCoreIOManager", "qSlicerLayoutManager", "qSlicerMainWindow"),
        *("qSlicerMarkupsPlaceWidget", "qSlicerModuleFactoryManager", "qSlicerModuleManager"),
        *("qSlicerModuleSelectorToolBar", "qSlicerScriptedLoadableModule", "qSlicerScriptedLoadableModuleWidget"),
        *("qSlicerSimpleMarkupsWidget", "qSlicerWidget"),
    ),
}

# Recorded by name alone, no members: what slicer.util itself calls of them, and values that other classes give back.
WITHOUT_MEMBERS: dict[str, tuple[str, ...]] = {
    "QDateTime": ("currentDateTime",),
    "QDir": ("mkpath",),
    "QFile": ("ReadOnly", "close", "exists", "open"),
    "QLocale": ("English", "UnitedStates", "toString"),
    "QPoint": ("x", "y"),
    "QRect": ("height", "width", "x", "y"),
    "QStatusBar": ("clearMessage", "currentMessage", "setVisible", "showMessage"),
    "QUiLoader": ("load",),
}

# PythonQt itself adds these, so no class lists them: `name` is objectName, a Python keyword takes an underscore.
ALIASES = {"name": "objectName", "exec_": "exec", "print_": "print"}


@cache
def recorded() -> dict[str, Any]:
    """Everything in names.json."""
    return json.loads(NAMES.read_text(encoding="utf-8"))


@cache
def members(kit: str, name: str) -> frozenset[str]:
    """The recorded names of the class `name` of `kit` ("qt", "ctk" or "slicer") with what it inherits."""
    if kit == "qt" and name in WITHOUT_MEMBERS:
        return frozenset(WITHOUT_MEMBERS[name])
    entry = recorded()[kit][name]
    inherited = recorded()["qt"][entry["extends"]]["names"].split() if "extends" in entry else []
    return frozenset({*entry["names"].split(), *inherited, "className", "inherits", "delete", "help"})


def recorded_name(name: str, kit: str, of_class: str) -> str | None:
    """The recorded name that the attribute `name` of a class stands for; None if Slicer has none."""
    known = members(kit, of_class)
    if name.endswith("_") and keyword.iskeyword(name[:-1]) and name[:-1] in known:
        return name[:-1]
    return next((one for one in (name, ALIASES.get(name)) if one in known), None)
