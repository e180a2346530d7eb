"""Runs in the unpacked program before the plugin, as a PyInstaller runtime hook: undoes what the launcher set up.

The variables would confuse programs that the plugin executes, an IPAM plugin of ours among them. The descriptor, whose
lock says that this version is in use, is for this process, not for those.
"""

import os

_folder = os.environ.pop("_PLUMBLINE_FOLDER", "")
if _folder:
    os.set_inheritable(int(_folder), False)
for _name in ("LD_LIBRARY_PATH", "_PYI_ARCHIVE_FILE", "_PYI_LINUX_PROCESS_NAME", "_PYI_PARENT_PROCESS_LEVEL"):
    os.environ.pop(_name, None)
