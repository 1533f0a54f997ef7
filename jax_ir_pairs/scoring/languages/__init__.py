"""One file a language: reads an answer's text into a module that runs. In the child."""
