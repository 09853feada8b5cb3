"""Settle builds several platforms side by side, and tells how each ended when one fails."""

import warnings

from minigun_py import register_suggestion, settle


class ToolMissing(Exception):
    """A compiler is not installed."""


def build(platform):
    if platform == "android":
        raise ToolMissing("no Android SDK found")
    if platform == "web":
        warnings.warn("the bundle is large", stacklevel=1)
    return f"{platform}.zip"


if __name__ == "__main__":
    register_suggestion(ToolMissing, "install it, or leave the platform out")
    settled = settle(["ios", "android", "web"], build, max_concurrency=2, timeout=300)
    for name, result in settled.results.items():
        print(name, settled.values.get(name, "failed"))
        for problem in result.errors:
            print("   ", problem.message, "-", *problem.suggestions)
        for warned in result.warnings:
            print("    warning:", warned.message)
    print(settled.success_count, "of", len(settled))

# ios ios.zip
# android failed
#     no Android SDK found - install it, or leave the platform out
# web web.zip
#     warning: the bundle is large
# 2 of 3
