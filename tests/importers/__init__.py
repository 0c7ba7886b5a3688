"""Small modules of our own, imported, and held against torch running the same module."""

import pytest

pytest.register_assert_rewrite("tests.importers.held")
