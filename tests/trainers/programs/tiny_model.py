"""Save a small random model with a tokenizer and a chat template: python tiny_model.py FOLDER."""

import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = [
    "```python\ndef double(x):\n    return 2 * x\n```",
    "Write a function `double(x)` that returns twice x.",
    "user",
]

set_seed(0)
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
alphabet = pre_tokenizers.ByteLevel.alphabet()
trainer = trainers.BpeTrainer(vocab_size=512, min_frequency=1, special_tokens=special, initial_alphabet=alphabet)
tokenizer.train_from_iterator(TEXTS * 4, trainer)
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|im_end|>")
fast.chat_template = TEMPLATE
fast.save_pretrained(sys.argv[1])
config = LlamaConfig(
    vocab_size=len(fast),
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    max_position_embeddings=1024,
    pad_token_id=fast.pad_token_id,
    eos_token_id=fast.eos_token_id,
    bos_token_id=None,
)
LlamaForCausalLM(config).save_pretrained(sys.argv[1])
