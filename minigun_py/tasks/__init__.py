"""Functions that are called once each, on the ground that pipelines stand on."""
