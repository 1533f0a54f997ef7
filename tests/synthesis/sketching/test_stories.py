"""Tests of programs of several steps."""

from __future__ import annotations

from tests.synthesis.sketching.library import draft_of, library_of, plainly

LIBRARY = library_of(
    '''
    @sketch(takes={"x": "image f[n, m]"}, gives="image f[n, m]: smoothed")
    def smooth(x):
        """Smooth an image."""
        return jnp.sort(x)


    @sketch(takes={"image": "image f[n, m]", "weights": "f[n]"})
    def edge_map(image, weights):
        """Find edges."""
        return weights @ image, image.sum()
    '''
)


def test_a_step_makes_what_the_first_sketch_takes() -> None:
    drafts = [draft_of(LIBRARY, "edge_map", seed, alone=False) for seed in range(40)]
    several = [draft for draft in drafts if draft.story.steps]
    assert 0 < len(several) < len(drafts)
    for draft in several:
        names = [step.sketch.name for step in draft.story.steps]
        assert names == ["smooth", "edge_map"], plainly(draft)
        assert "    smoothed = smooth(x)\n" in plainly(draft)
        # It does not say what it gives, so it is the last step and returned as it is.
        assert plainly(draft).endswith("    return edge_map(smoothed, weights)\n")


def test_a_longer_sketch_is_more_often_a_whole_program() -> None:
    drafts = [draft_of(LIBRARY, "smooth", seed, alone=False) for seed in range(60)]
    several = sum(len(draft.story.steps) > 1 for draft in drafts)
    assert several > 40, [plainly(draft) for draft in drafts]
