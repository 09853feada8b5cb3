"""What the engine is built of: tokens to cancel with, channels to move items, retries to wait.

Each primitive knows threads and time, and nothing of pipelines. Import from the module that is
named for what you need: `minigun_py.primitives.channel`, `minigun_py.primitives.cancel`.
"""
