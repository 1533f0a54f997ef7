"""A jaxpr's syntax tree, run on JAX's tracers: an equation binds its primitive. In the child."""
