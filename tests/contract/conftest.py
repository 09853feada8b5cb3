"""The contract's own asserts are to explain themselves as those of a test file do."""

import pytest

pytest.register_assert_rewrite("contract.seam", "contract.door", "contract.contract")
