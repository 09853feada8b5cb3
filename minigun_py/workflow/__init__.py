"""Workflows: unlike steps that depend on each other, on the ground that pipelines stand on.

workflow      the door: declares steps, runs them
declaring     reads a step from a function and what is said of it
graph         who depends on whom, sub-workflows laid open, names resolved
placing       where a step runs, and what it needs for that
step_schedule what begins next (`ready_set`, `admission`, `critical_path`), and what became of it
gate          whether a step is to run at all: its condition, and results that are kept
run           joins a schedule with the engine
"""
