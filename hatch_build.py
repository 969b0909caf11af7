"""Compile the kernels where there is a C compiler: the wheel is then one of this platform. Without one it is pure.

A build never fails for want of a compiler. ``AEREC_NATIVE=0`` builds the pure wheel anywhere.
"""

from __future__ import annotations

import os
import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelBuildHook(BuildHookInterface):
    """Adds the compiled kernels to the wheel; an editable installation has them beside their source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say so in the tag of the wheel."""
        if os.environ.get("AEREC_NATIVE") == "0":
            return
        build = runpy.run_path(str(Path(self.root, "src", "aerec", "native", "build.py")))
        try:
            library = build["compile_kernels"]()
        except (build["CompileError"], OSError) as error:
            self.app.display_warning(f"aerec is built without its kernels, which make training faster: {error}")
            return
        if version == "editable":
            return
        build_data["force_include"][str(library)] = f"aerec/native/{library.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
