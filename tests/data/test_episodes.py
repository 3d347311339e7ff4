"""Episodes: pure in (records, seed, index), balanced, and with nobody on both sides."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from PIL import Image

from metaforge.data.episodes import EpisodeSampler, together
from metaforge.data.files import ImageFiles
from metaforge.data.pools import gather, pool
from metaforge.data.records import Records
from metaforge.errors import InputError


def table(people=12, variants=4, domains=("a", "b", "c"), donors=True):
    rng = np.random.default_rng(0)
    columns = {name: [] for name in ("label", "domain", "identity", "donor", "video", "frame")}
    for domain in domains:
        for person in range(people):
            for variant in range(variants):
                donor = (person + 1 + rng.integers(people - 1)) % people
                for label in (0, 1):
                    columns["label"].append(label)
                    columns["domain"].append(domain)
                    columns["identity"].append(f"p{person}")
                    columns["donor"].append(f"p{donor}" if donors and label else "")
                    columns["video"].append(f"v{person}")
                    columns["frame"].append(variant)
    images = np.arange(len(columns["label"]), dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    return Records.from_columns(image=images, **columns)


def test_an_episode_is_a_pure_function_of_records_seed_and_index():
    records = table()
    options = {"tasks": 3, "shots": 2, "queries": 3}
    one, other = (EpisodeSampler(records, seed=7, **options) for _ in range(2))
    for index in (5, 0, 3):  # in any order
        np.testing.assert_array_equal(one(index).support, other(index).support)
        np.testing.assert_array_equal(one(index).query, other(index).query)
    assert not np.array_equal(one(0).query, one(1).query)
    assert not np.array_equal(one(0).query, EpisodeSampler(records, seed=8, **options)(0).query)


def test_support_and_query_share_no_video_and_nobody_not_even_a_donor():
    records = table()
    sampler = EpisodeSampler(records, seed=0, tasks=3, shots=2, queries=4)
    people = records.people()
    for index in range(40):
        rows = sampler(index)
        for support, query in zip(rows.support, rows.query, strict=True):
            assert not {*people[support].ravel()} & {*people[query].ravel()}
            assert not {*records.video[support]} & {*records.video[query]}


def test_each_task_is_one_domain_drawn_without_replacement_and_class_balanced():
    records = table()
    sampler = EpisodeSampler(records, seed=0, tasks=3, shots=2, queries=4)
    for index in range(10):
        rows = sampler(index)
        assert sorted(rows.domains) == ["a", "b", "c"]
        for task, domain in enumerate(rows.domains):
            for part, count in ((rows.support[task], 2), (rows.query[task], 4)):
                assert set(records.domain[part]) == {domain}
                assert np.bincount(records.label[part]).tolist() == [count, count]
                assert len(set(part.tolist())) == len(part)


def test_more_tasks_than_domains_repeats_domains():
    assert len(EpisodeSampler(table(), seed=0, tasks=5, shots=1, queries=1)(0).domains) == 5


def test_leading_domains_are_in_every_meta_batch_and_the_others_in_turn():
    sampler = EpisodeSampler(table(domains=("a", "b", "c", "d")), seed=0, tasks=3, shots=1, queries=1, lead=["c"])
    drawn = [sampler(index).domains for index in range(60)]
    assert {domains[0] for domains in drawn} == {"c"}
    assert {frozenset(rest) for _, *rest in drawn} == {frozenset(pair) for pair in ("ab", "ad", "bd")}
    assert all(len(set(domains)) == 3 for domains in drawn)


def test_leading_domains_may_be_all_there_are_and_no_lead_changes_nothing():
    options = {"seed": 4, "tasks": 4, "shots": 1, "queries": 1}
    assert EpisodeSampler(table(domains=("a",)), lead=["a"], **options)(0).domains == ("a",) * 4
    # The stream of episodes of runs that were made before there was a choice: numpy's own draw.
    rng = np.random.default_rng(np.random.SeedSequence([4, 9]))
    expected = tuple("abcde"[i] for i in rng.choice(5, 4, replace=False))
    assert EpisodeSampler(table(domains=tuple("abcde")), **options)(9).domains == expected


@pytest.mark.parametrize(("share", "fakes"), [(0.5, 5), (0.2, 2), (0.9, 9), (0.01, 1)])
def test_support_sets_may_be_skewed(share, fakes):
    records = table(people=20, variants=6)
    sampler = EpisodeSampler(records, seed=0, tasks=1, shots=5, queries=2, fake_share=share)
    assert records.label[sampler(0).support[0]].sum() == fakes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots": 100}, "domain 'a' has 48 real images"),
        ({"fake_share": 1.0}, "fake_share"),
        ({"lead": ["a", "z"]}, "a, z cannot lead"),
        ({"lead": ["a", "b", "c"]}, "raise `tasks`"),
    ],
)
def test_too_little_data_is_one_line_that_names_the_domain(options, words):
    with pytest.raises(InputError, match=words):
        EpisodeSampler(table(), **({"seed": 0, "tasks": 2, "shots": 2, "queries": 3} | options))


def test_one_class_and_no_records_are_refused():
    records = table()
    with pytest.raises(InputError, match="0 fake images"):
        EpisodeSampler(records.where(label=0), seed=0, tasks=1, shots=1, queries=1)
    with pytest.raises(InputError, match="no records"):
        EpisodeSampler(records.where(domain="nowhere"), seed=0, tasks=1, shots=1, queries=1)


def test_two_people_in_each_others_fakes_cannot_be_parted():
    records = table(people=2)
    with pytest.raises(InputError, match="too few people"):
        EpisodeSampler(records, seed=0, tasks=1, shots=2, queries=2)(0)


def test_people_of_one_video_are_one_group_and_strangers_are_not():
    images = np.zeros((5, 2, 2, 3), np.uint8)
    records = Records.from_columns(
        image=images, label=[0] * 5, identity=["a", "b", "c", "", ""], video=["v", "v", "w", "w", ""]
    )
    face, _ = together(records)
    assert face[0] == face[1]  # a and b in v
    assert face[2] == face[3]  # c, and an unnamed person, in w
    assert len({face[0], face[2], face[4]}) == 3


@pytest.mark.parametrize("real", [["set/real/a#0", "set/real/b#0"], ["", ""]])
def test_a_fake_of_unknown_people_belongs_to_its_original(real):
    images = np.zeros((4, 2, 2, 3), np.uint8)
    video = ["set/real/a", "set/swap/a", "set/real/b", "set/swap/b"]
    pair = [real[0], "set/real/a#4", real[1], "set/real/b#4"]
    face, donor = together(Records.from_columns(image=images, label=[0, 1, 0, 1], video=video, pair=pair))
    assert face[0] == face[1] == donor[1]
    assert face[2] == face[3] != face[0]


def test_pairs_do_not_join_people_who_are_known():
    # Two frames of one scene under two names, as Celeb-DF's people are named apart by split.
    images = np.zeros((2, 2, 2, 3), np.uint8)
    columns = {"identity": ["a", "a@train"], "video": ["v", "w"], "pair": ["v#0", "v#1"]}
    face, _ = together(Records.from_columns(image=images, label=[0, 1], **columns))
    assert face[0] != face[1]


def test_gather_takes_the_images_and_labels_of_the_rows():
    records = table()
    rows = EpisodeSampler(records, seed=0, tasks=2, shots=1, queries=2)(0)
    held = pool(records)
    sides = [jnp.asarray(held.index[side]) for side in (rows.support, rows.query)]
    episode = gather(jnp.asarray(held.image), jnp.asarray(held.label), *sides)
    assert episode.support.inputs.shape == (2, 2, 2, 2, 3)
    np.testing.assert_array_equal(episode.query.inputs[..., 0, 0, 0], rows.query.astype(np.uint8))
    np.testing.assert_array_equal(episode.query.targets, records.label[rows.query])


def test_gather_of_a_pytree_is_gather_of_each_leaf():
    draw = np.random.default_rng(0)
    leaves = {"image": draw.integers(0, 256, (6, 2, 2, 3), np.uint8), "text": (draw.integers(0, 9, (6, 5)), np.ones(6))}
    leaves = jax.tree.map(jnp.asarray, leaves)
    rows = jnp.array([[0, 3], [5, 5]]), jnp.array([[1], [2]])
    labels, domain = jnp.arange(6), jnp.array([1, 0])
    together = gather(leaves, labels, *rows, domain)
    for side, taken in (("support", rows[0]), ("query", rows[1])):
        found = getattr(together, side)
        np.testing.assert_array_equal(found.targets, taken)
        jax.tree.map(lambda leaf, given, r=taken: np.testing.assert_array_equal(leaf, given[r]), found.inputs, leaves)
    with pytest.raises(jaxtyping.TypeCheckError):
        gather({"image": jnp.zeros((6, 2)), "mask": jnp.zeros((5, 2))}, labels, *rows)


def test_what_is_shown_beside_an_image_stays_beside_it():
    records = table()
    tokens = 1000 + np.arange(len(records))[:, None]
    sampler = EpisodeSampler(records, seed=0, tasks=2, shots=1, queries=2)
    rows, held = sampler(0), pool(records, beside={"text": tokens})
    sides = [jnp.asarray(held.index[side]) for side in (rows.support, rows.query)]
    inputs = jax.tree.map(jnp.asarray, held.image)
    for episode in (gather(inputs, jnp.asarray(held.label), *sides), sampler.episode(0, beside={"text": tokens})):
        np.testing.assert_array_equal(episode.support.inputs["image"], records.image[rows.support])
        np.testing.assert_array_equal(episode.query.inputs["text"], tokens[rows.query])
        np.testing.assert_array_equal(episode.query.targets, records.label[rows.query])


def test_a_file_in_several_rows_has_one_thing_beside_it(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    files = ImageFiles(["b.png", "a.png", "b.png"], root=tmp_path, size=2)
    records = Records.from_columns(image=files, label=[0, 1, 0])
    held = pool(records, beside={"text": np.array([[7], [8], [7]])})
    assert held.image["text"][held.index].tolist() == [[7], [8], [7]]
    assert len(held.image["text"]) == len(held.image["image"]) == 2
    with pytest.raises(InputError, match="different 'text'"):
        pool(records, beside={"text": np.array([[7], [8], [9]])})
