"""What `build.py` measures, how it shows that, and what follows for larger builds."""
