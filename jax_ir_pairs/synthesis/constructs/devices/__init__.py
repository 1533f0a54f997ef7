"""Work on several devices: meshes, collectives and what people build of them."""
