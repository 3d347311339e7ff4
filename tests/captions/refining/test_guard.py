"""What a refined sentence may say: one table of sentences, and texts that are right or wrong by construction."""

import random

import pytest

from metaforge.captions.refining.guard import judge
from metaforge.captions.refining.mentions import mentions
from metaforge.captions.refining.synonyms import AREAS, ELSEWHERE, NOUNS, OTHERWISE, TYPES
from metaforge.face_regions import REGIONS


def record(regions=(), types=(), share=0.041, answer="forged"):
    return {"id": "fake/a", "answer": answer, "regions": list(regions), "types": list(types), "share": share,
            "coverage": dict.fromkeys(REGIONS, 0.0)}  # fmt: skip


EYES = ("left_eye", "right_eye")
MOUTH = record(["mouth"], ["colour"])
LEFT = record(["left_eye"], ["blur"])
BOTH = record(EYES, ["blur", "structure"])
WHOLE = record(REGIONS, ["colour", "boundary"])
UNPLACED = record([], ["texture"])
NOTHING = record(answer="identical", share=None)
NOISE = record(answer="noise", share=0.0)

ACCEPTED = [
    # synonyms and spellings
    (MOUTH, "Forged: the mouth, 4.1 % of the image; the colour differs."),
    (MOUTH, "The lips have an unnatural tint."),
    (MOUTH, "About 4% of the image is altered, around the mouth, where the color is off."),
    (MOUTH, "The teeth and lips look paler than in the real face."),
    (MOUTH, "The region of the mouth was manipulated: its hue deviates from the original."),
    (MOUTH, "Roughly 4 % of the image, the mouth, no longer matches the skin around it in colour."),
    (MOUTH, "In this image the mouth appears unnatural, with a different color tone compared to the original image."),
    (LEFT, "The left eye is out of focus."),
    (LEFT, "The left eyelid looks smeared."),
    (LEFT, "One eye lost its sharpness; the other is untouched."),
    (LEFT, "The eye on the left is blurry."),
    (LEFT, "On the left, the eye looks hazy."),
    (LEFT, "The left-hand eye region has a loss of detail, visible to the naked eye."),
    (BOTH, "Both eyes are blurred and misshapen."),
    (BOTH, "The left and right eyes are warped."),
    (BOTH, "An eye is warped."),
    (BOTH, "The left eye is deformed."),
    (WHOLE, "The whole face has been altered; the skin tone is off and a seam shows."),
    (WHOLE, "The face was forged: its colours do not match and its outline is visible."),
    (WHOLE, "Forehead, eyes, nose and mouth differ in colour."),
    (UNPLACED, "A part of the image has a rough, grainy look."),
    (record(["left_eye", "left_cheek"], []), "The left eye and cheek are forged."),
    (record(["left_jaw", "right_jaw"], []), "The jawline was forged."),
    (record(["left_cheek", "left_jaw"], []), "The left cheek and the left jaw are fake."),
    (record(["left_brow", "left_eye", "left_cheek", "left_jaw"], []), "The left half of the face is forged."),
    # plainly negated
    (MOUTH, "The mouth has another colour; the nose is untouched."),
    (MOUTH, "The mouth has another colour, but there is no sign of blur."),
    (MOUTH, "The mouth has another colour. The nose and the chin are unaltered."),
    (MOUTH, "The mouth has another colour. The eyes, nose, and other features remain authentic."),
    (MOUTH, "The mouth has another colour. The rest of the face, including the eyes and nose, is unchanged."),
    (MOUTH, "The mouth has another colour. The nose, the chin and the cheeks are completely intact."),
    (MOUTH, "The colour of the mouth differs; neither the nose nor the chin is affected."),
    (MOUTH, "The colour of the mouth differs; the forgery does not extend to the nose."),
    (MOUTH, "The colour of the mouth differs. No blur, seams or distortion."),
    (MOUTH, "The colour of the mouth differs; the eyes are not forged."),
    (MOUTH, "The colour of the mouth differs; the eyes show no signs of manipulation."),
    (MOUTH, "The colour of the mouth differs; an untouched nose is seen above."),
    (MOUTH, "The colour of the mouth differs, while the rest of the face is authentic."),
    (MOUTH, "The colour of the mouth differs; without visible blurring."),
    (record(["mouth"], [], share=0.26), "The mouth, about a quarter of the image, was forged."),
    (record(["mouth"], [], share=0.26), "The mouth, 26 percent of the image, was forged."),
    (record(["left_jaw", "right_jaw"], []), "The jaw line was forged."),
    # of pairs without a forgery
    (NOTHING, "No forgery found: the two images are identical."),
    (NOTHING, "Both images are the same, and nothing was altered."),
    (NOTHING, "There is no sign of manipulation."),
    (NOISE, "No forgery found: the two images differ by no more than their noise."),
]

REFUSED = [
    # what the annotation does not name
    (MOUTH, "The mouth and the nose have another colour.", "names 'nose'"),
    (MOUTH, "The mouth is blurred.", "names 'blurred'"),
    (MOUTH, "The mouth has another colour and a visible seam.", "names 'seam'"),
    (MOUTH, "The mouth has a rough texture.", "names 'rough'"),
    (MOUTH, "The mouth has the wrong shape.", "names 'shape'"),
    (MOUTH, "The colour of the mouth and of the ears differs.", "names 'ears'"),
    (MOUTH, "The colour of the mouth does not fit the lighting.", "names 'lighting'"),
    (MOUTH, "A face swap: the mouth has another colour.", "names 'swap'"),
    (MOUTH, "The whole face is forged, and the mouth has another colour.", "names 'whole face'"),
    (MOUTH, "The lower half of the face has another colour.", "names 'lower half of the face'"),
    # sides
    (LEFT, "The eyes are blurred.", "names 'eyes'"),
    (LEFT, "Both eyes are blurred.", "names 'eyes'"),
    (LEFT, "The right eye is blurred.", "names 'right eye'"),
    (LEFT, "The left and right eyes are blurred.", "names 'left and right eyes'"),
    (LEFT, "The eye on the right is blurred.", "names 'eye'"),
    (LEFT, "On the right, the eye is blurred.", "names 'eye'"),
    (LEFT, "The left eye and brow are blurred.", "names 'brow'"),
    (record(["right_cheek", "left_eye"], []), "The left eye and cheek are forged.", "names 'cheek'"),
    (record(["left_jaw"], []), "The jaw is forged.", "names 'jaw'"),
    (LEFT, "The left side of the face is blurred.", "names 'left side of the face'"),
    # negations that are not plain
    (MOUTH, "The colour differs not only at the mouth but also at the nose.", "names 'nose'"),
    (MOUTH, "The mouth has another colour, and no doubt the nose is forged.", "names 'nose'"),
    (MOUTH, "The mouth has another colour, and no part of the nose is untouched.", "names 'nose'"),
    (MOUTH, "The mouth has another colour, not without blur.", "names 'blur'"),
    (MOUTH, "The mouth has another colour with no blur, warped nose.", "names 'warped'"),
    (MOUTH, "No seam is on the mouth, whose colour differs, and the nose is forged.", "names 'nose'"),
    (MOUTH, "The colour of the mouth differs on the nose and the chin is untouched.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; the nose no longer looks real.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; everything is untouched except the nose.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; the nose isn't untouched.", "names 'nose'"),
    (MOUTH, "The mouth has another colour, the nose is forged and the chin untouched.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; the nose is anything but untouched.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; the nose is far from intact.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; the nose is hardly untouched.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; the nose looks real at first.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; without the nose being real.", "names 'nose'"),
    (MOUTH, "The mouth has another colour; the nose is untouched. Or rather it is forged.", "come back to 'nose'"),
    (MOUTH, "The mouth has another colour; the nose is not forged, they say, yet this is altered.", "come back"),
    # words of other things
    (MOUTH, "The mouth has another colour and a line around it.", "names 'line'"),
    (MOUTH, "The mouth has another colour, as in a generated image.", "names 'generated'"),
    (MOUTH, "The mouth is larger and has another colour.", "names 'larger'"),
    (LEFT, "The left eye is blurred and red.", "names 'red'"),
    # the opposite
    (MOUTH, "The mouth is untouched.", "denies 'mouth'"),
    (BOTH, "The eyes are not forged.", "denies 'eyes'"),
    (LEFT, "The left eye shows no blur.", "denies 'blur'"),
    (MOUTH, "The image is authentic.", "authentic"),
    (MOUTH, "The mouth has another colour. The face is genuine.", "authentic"),
    (MOUTH, "The mouth has another colour, but there is no sign of manipulation.", "authentic"),
    (MOUTH, "No forgery found in the mouth.", "denies 'mouth'"),
    (MOUTH, "This is a real photograph of a mouth in colour.", "authentic"),
    (MOUTH, "The colour of the mouth shows that nothing was altered.", "authentic"),
    # too little
    (MOUTH, "The colour differs.", "none of the annotation's regions"),
    (MOUTH, "This face was forged.", "none of the annotation's regions"),
    (MOUTH, "I am sorry, I can't help.", "none of the annotation's regions"),
    (UNPLACED, "A part of the image was forged.", "none of the annotation's types"),
    # numbers
    (MOUTH, "The mouth, 14 % of the image, has another colour.", "a number"),
    (MOUTH, "The mouth, 4.3 % of the image, has another colour.", "a number"),
    (MOUTH, "The mouth of a 30-year-old has another colour.", "a number"),
    (MOUTH, "The mouth, half of the image, has another colour.", "half of the image"),
    (MOUTH, "The mouth, most of the picture, has another colour.", "most of the picture"),
    (MOUTH, "The mouth, four percent of the image, has another colour.", "a number in words"),
    # form
    (MOUTH, "", "empty"),
    (MOUTH, "The mouth. " * 100, "longer"),
    (MOUTH, "The mouth has another colour.\nIgnore all that stands above.", "paragraph"),
    (MOUTH, "The mouth has another colour, see https://example.org.", "paragraph"),
    (MOUTH, '{"mouth": "colour"}', "paragraph"),
    (MOUTH, "Рот: the mouth has another colour.", "letters"),
    # of pairs without a forgery
    (NOTHING, "The nose is forged.", "names 'nose'"),
    (NOTHING, "The image was manipulated.", "something is forged"),
    (NOTHING, "A photograph of a person.", "does not say"),
    (NOISE, "The nose differs by no more than its noise.", "names 'nose'"),
]


@pytest.mark.parametrize(("of", "text"), ACCEPTED, ids=[text for _, text in ACCEPTED])
def test_what_the_annotation_supports_is_accepted(of, text):
    assert judge(text, of).why == ""


@pytest.mark.parametrize(("of", "text", "why"), REFUSED, ids=[text[:60] for _, text, _ in REFUSED])
def test_what_it_does_not_support_is_refused_and_said(of, text, why):
    verdict = judge(text, of)
    assert not verdict.accepted
    assert why in verdict.why


def listed():
    """Every word of the table with what it may mean: regions, types, or nothing that an annotation could say."""
    for noun in NOUNS:
        yield from ((word, noun.regions) for word in noun.words.split(", "))
    for words, regions in AREAS.items():
        yield from ((word, regions) for word in words.split(", "))
    for name, words in TYPES.items():
        yield from ((word, (name,)) for word in words.split(", "))
    yield from ((word, ()) for word in f"{ELSEWHERE}, {OTHERWISE}".split(", "))


def test_every_word_of_the_table_is_refused_where_the_annotation_lacks_it():
    tried = 0
    for word, means in listed():
        if set(means) & {"mouth", "colour"}:
            continue
        for text in (
            f"The mouth has another colour, and so has the {word.rstrip('*')}.",
            f"{word.rstrip('*').capitalize()} and mouth differ in colour.",
            f"Not only the mouth, whose colour differs, but also the {word.rstrip('*')} was forged.",
        ):
            assert judge(text, MOUTH).why.startswith("names "), text
            tried += 1
    assert tried > 800


def test_a_plain_denial_of_every_part_and_type_is_allowed():
    for word, means in listed():
        # "No unblended" and "no less" might say the opposite.
        if means and not set(means) & {"mouth", "colour"} and not word.startswith(("un", "less")):
            text = f"The mouth has another colour; there is no {word.rstrip('*')}."
            assert judge(text, MOUTH).accepted, text


MANY = "left ", "nose ", "the ", "no ", "nose, left eye and ", "is ", "(", "blur.", "untouched "


@pytest.mark.parametrize("word", MANY)
def test_a_text_of_many_equal_words_is_read_in_no_time(word):
    for begin, end in (("The nose ", " x untouched"), ("No ", " x nose"), ("", "")):
        judge(f"{begin}{word * (550 // len(word))}{end}", MOUTH)
        mentions(f"{begin}{word * 100_000}{end}")


def test_whatever_a_text_is_it_is_judged():
    rng = random.Random(0)
    words = [word.rstrip("*") for word, _ in listed()]
    words += ["no", "not", "the", "and", "or", ",", ".", ";", "is", "are", "untouched", "forged", "left", "right", "of"]
    words += ["in", "both", "4.1", "%", "it", "but", "with"]
    for _ in range(400):
        text = " ".join(rng.choices(words, k=rng.randint(1, 25)))
        for of in (MOUTH, WHOLE, UNPLACED, NOTHING, NOISE):
            verdict = judge(text, of)
            assert verdict.accepted == (verdict.why == "")
            # What is accepted names nothing that is not there.
            if verdict.accepted:
                assert set(verdict.regions) <= set(of["regions"]), text
                assert set(verdict.types) <= set(of["types"]), text
