"""Networks that you would have picked, trained like the candidates of a run, and compared with its front."""
