#!/usr/bin/env python3
"""Makes Fixtures/: small tokenizers trained by the `tokenizers` package, and what it makes of
awkward text with each of them. Run it again only to change them:

    pip install tokenizers
    python make_fixtures.py

Everything is a function of the seed below and of README.md and docs/design.md.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FIXTURES = HERE / "Fixtures"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = LLAMA3.replace("{1,3}", "")

AWKWARD = [
    "",
    " ",
    "a",
    "  ",
    "Hello, world!",
    " leading and trailing ",
    "two  spaces   three    four     five",
    "tab\tand\t\ttabs \t mixed\t ",
    "line\nbreaks\n\nand\r\nCRLF\r\n\r\n  indented\n\ttabbed \n ",
    "\n\n\n   \n x\n",
    "\r\n\r\r\n \r x",
    "words.\n\nMore words!\n?!\n\r\n!",
    "1 12 123 1234 12345 1234567890 3.14159 1,000,000 0x1F",
    "a1b22c333d4444 ½ ² Ⅷ ٣٤٥ १२३ 一二三 ①",
    "I'm you're he's we'd they'll I've don't 'quoted' 'tis rock'n'roll",
    "I'M YOU'RE HE'S WE'D THEY'LL I'VE DON'T 'Re 'lL 'vE a'\u017fb",
    "'s 't 're '' ''' 's's 'r 'l 'v 'sell 'reach 'velvet 'llama",
    "café cafe\u0301 naïve nai\u0308ve Å A\u030a \u212b ﬁ",
    "n\u0303o\u0323\u0302 q\u0307\u0323 \u0301start e\u0301\u0301\u0301",
    "😀 👍🏽 👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 🇩🇪🇫🇷 ❤️ ☎️",
    "日本語のテキスト。 中文字符，测试！ 한국어 문장입니다.",
    "\u1112\u1161\u11ab 한 が か\u3099",
    "مرحبا بالعالم، كيف حالك؟ ١٢٣ שָׁלוֹם",
    "नमस्ते दुनिया ไทยภาษา Tiếng Việt Привет, мир! Γειά σου",
    "zero\u200bwidth\u00a0nbsp\u2003em\u3000ideographic\u2028line\u2029para\u0085nel",
    "\u2003\u2003x \u00a0 y\u3000\u3000\n\u3000z",
    "control \x00 \x01 \x1b[0m \x7f \x1c\x1d\x1e\x1f \x0b\x0c end",
    "\ufeffbyte order mark \ufffd replacement \ufffe \U0010ffff",
    "def f(x):\n    if x:\n        return x ** 2  # comment\n\n\nprint(f(3))\n",
    '{"key": [1, 2.5, null], "nested": {"a": "b\\n"}}',
    "https://example.org/path?q=1&r=%20#top user@example.org",
    "C'est l'été où j'ai vu « ça » — n'est-ce pas?",
    "--- *** ___ ... !!! ??? $100 €50 £20 100% #1 @x ~/a\\b|c <d> [e] {f} `g` ^h",
    " ,a .b !c  ,d",
    "supercalifragilisticexpialidocious " * 3,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    " " * 70 + "x" + " " * 33,
    "<|endoftext|>",
    "a<|endoftext|>b <|endoftext|> c<|endoftext|><|endoftext|>",
    "<|endof<|endoftext|>text|> <|begin|><|begin|>x<|begin",
    "token\u00e9d token\u0065\u0301d",
]


def random_texts(count: int) -> list[str]:
    generator = random.Random(7)
    ranges = [
        (0x20, 0x7F),
        (0x00, 0x21),
        (0xA0, 0x250),
        (0x300, 0x370),
        (0x370, 0x530),
        (0x590, 0x700),
        (0x900, 0x980),
        (0x2000, 0x2070),
        (0x3040, 0x3100),
        (0x4E00, 0x4F00),
        (0xAC00, 0xAD00),
        (0x1F300, 0x1F650),
    ]
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(generator.randrange(1, 12)):
            low, high = generator.choice(ranges)
            length = generator.randrange(1, 5)
            parts += [chr(generator.randrange(low, high)) for _ in range(length)]
            parts.append(generator.choice(["", " ", "  ", "\n", "'s", "1"]))
        texts.append("".join(parts))
    return texts


def training_text() -> str:
    names = ["README.md", "docs/design.md"]
    text = "\n".join((ROOT / name).read_text() for name in names)
    return text[:14000] + "\n" + "\n".join(AWKWARD[8:30])


def byte_level(prefix: bool = False, pattern: bool = True) -> pre_tokenizers.ByteLevel:
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=pattern)


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(pattern=False)]
    )


def train(
    text: str,
    pre_tokenizer: pre_tokenizers.PreTokenizer,
    normalizer: normalizers.Normalizer | None = None,
    size: int = 420,
    ignore_merges: bool = False,
) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def families(text: str) -> dict[str, Tokenizer]:
    made = {
        "gpt2": train(text, byte_level(), size=700),
        "neox": train(text, byte_level(), normalizers.NFC()),
        "llama3": train(text, split(LLAMA3), ignore_merges=True),
        "qwen": train(text, split(QWEN), normalizers.NFC()),
        "digits": train(
            text,
            pre_tokenizers.Sequence([pre_tokenizers.Digits(True), byte_level()]),
        ),
        "prefix": train(
            text,
            pre_tokenizers.Sequence([pre_tokenizers.Digits(False), byte_level(True)]),
        ),
    }
    neox = made["neox"]
    neox.post_processor = processors.ByteLevel(trim_offsets=False)
    spaces = [AddedToken(" " * n, normalized=True, special=False) for n in (8, 4, 3, 2)]
    word = AddedToken("token\u0065\u0301d", normalized=True, special=False)
    neox.add_tokens([*spaces, word])
    llama3 = made["llama3"]
    llama3.add_special_tokens(["<|begin|>", "<|endof"])
    begin = llama3.token_to_id("<|begin|>")
    llama3.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin|> $A",
                pair="<|begin|> $A <|begin|>:1 $B:1",
                special_tokens=[("<|begin|>", begin)],
            ),
        ]
    )
    return made


def decodings(tokenizer: Tokenizer) -> list[dict[str, object]]:
    """Lists of tokens that no text gives: cut characters, and special tokens inside."""
    generator = random.Random(11)
    size = tokenizer.get_vocab_size()
    lists = [[generator.randrange(size) for _ in range(12)] for _ in range(12)]
    lists.append([0, 70, 0, 71])
    for text in ["é", "日本", "👍🏽"]:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        lists += [ids[:-1], ids[1:], ids[::-1]]
    return [
        {
            "ids": ids,
            "text": tokenizer.decode(ids, skip_special_tokens=False),
            "without_special": tokenizer.decode(ids, skip_special_tokens=True),
        }
        for ids in lists
    ]


def old_form(tokenizer: str) -> str:
    """Merges as lines of text, as files had them for long."""
    value = json.loads(tokenizer)
    value["model"]["merges"] = [" ".join(pair) for pair in value["model"]["merges"]]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir()
    text = training_text()
    (FIXTURES / "training.txt").write_text(text, newline="")
    texts = AWKWARD + random_texts(24)
    expected = {}
    for name, tokenizer in families(text).items():
        written = tokenizer.to_str()
        if name in ("gpt2", "llama3"):
            written = old_form(written)
        (FIXTURES / f"{name}.json").write_text(written)
        expected[name] = {
            "ids": [tokenizer.encode(t, add_special_tokens=False).ids for t in texts],
            "with_special": tokenizer.encode("one text").ids,
            "decodings": decodings(tokenizer),
        }
    cases = {"texts": texts, "expected": expected}
    (FIXTURES / "cases.json").write_text(json.dumps(cases, separators=(",", ":")))


if __name__ == "__main__":
    main()
