"""What families are built of: layers, algorithms, rules, meshes, trees; each a part of programs."""
