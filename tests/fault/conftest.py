import os
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
pytest.register_assert_rewrite("imdtest.clients", "imdtest.kinds", "imdtest.daemon", "imdtest.links")

from imdtest.fixtures import *  # noqa: E402,F401,F403
from imdtest.fixtures import pytest_runtest_makereport  # noqa: E402,F401
