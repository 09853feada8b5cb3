"""The words in which a pipeline is declared; `Pipeline` has them all."""
