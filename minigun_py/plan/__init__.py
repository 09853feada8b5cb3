"""What shall run: stages, the graph they form, and the plan that places them."""
