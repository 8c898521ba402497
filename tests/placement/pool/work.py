"""Work of all sorts, for what is tried on random pools."""

from hypothesis import strategies as st

from placement.pool.nouns import Ask, mix_of

MODELS = ("A100", "T4", "V100")
sizes = st.sampled_from((1, 50, 333, 470, 810, 999))
asks = st.one_of(
    st.builds(Ask, st.sampled_from((0, 1000, 4000, 8000)), st.just(0)),
    st.builds(
        Ask,
        st.sampled_from((0, 1000, 4000, 8000)),
        st.just(0),
        st.just(1),
        st.one_of(st.just(0), sizes),
        st.sampled_from(((), ("T4",), ("A100", "V100"))),
    ),
    st.builds(Ask, st.sampled_from((1000, 8000)), st.just(0), st.sampled_from((2, 4, 8))),
)
mixes = st.dictionaries(asks, st.integers(1, 50), min_size=1, max_size=12).map(mix_of)
