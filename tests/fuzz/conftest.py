"""The targets lie beside the tests and are shared with the long-running fuzzer in benchmarks/reliability."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
