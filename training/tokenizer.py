"""A small byte-level BPE vocabulary in the files of the published model, and its reader."""
import json
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
           "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
PLAIN = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]


def build(model):
    tok = Tokenizer(model)
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    return tok


class Vocabulary:
    """Reads vocab.json, merges.txt and tokenizer_config.json of a model folder."""

    def __init__(self, folder):
        self.tok = build(models.BPE.from_file(f"{folder}/vocab.json", f"{folder}/merges.txt"))
        added = json.load(open(f"{folder}/tokenizer_config.json"))["added_tokens_decoder"]
        self.special = {v["content"]: int(k) for k, v in added.items()}
        self.start, self.end = self.special["<|im_start|>"], self.special["<|im_end|>"]
        self.vision_start, self.vision_end = self.special["<|vision_start|>"], self.special["<|vision_end|>"]

    def encode(self, text):
        return self.tok.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.tok.decode([i for i in ids if i < self.tok.get_vocab_size()])


def train(texts, rows, folder):
    """Learns `rows` - 22 tokens (all 256 bytes among them) from the texts and writes the three files."""
    tok = build(models.BPE())
    size = rows - len(SPECIAL) - len(PLAIN)
    tok.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=[],
                                                       initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    os.makedirs(folder, exist_ok=True)
    tok.model.save(folder)
    with open(f"{folder}/merges.txt") as f:
        lines = f.read().splitlines()
    if not lines[0].startswith("#version"):
        lines.insert(0, "#version: 0.2")
    with open(f"{folder}/merges.txt", "w") as f:
        f.write("\n".join(lines) + "\n")
    used = tok.get_vocab_size()
    added = {}
    for i, name in enumerate(SPECIAL + PLAIN):
        token = AddedToken(name, special=name in SPECIAL)
        added[str(used + i)] = {"content": name, "lstrip": token.lstrip, "normalized": False, "rstrip": token.rstrip,
                                "single_word": token.single_word, "special": name in SPECIAL}
    config = {"add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added,
              "additional_special_tokens": SPECIAL[1:], "bos_token": None, "clean_up_tokenization_spaces": False,
              "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 4096, "pad_token": "<|endoftext|>",
              "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None}
    with open(f"{folder}/tokenizer_config.json", "w") as f:
        json.dump(config, f, indent=1)
    return used + len(added)
