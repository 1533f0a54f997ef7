"""The syntax tree of a jaxpr, run with JAX's tracers: each equation binds its primitive. In the child."""
