"""The yardstick: named suites of X-rays whose truth is known, and what ours and others make of them."""
