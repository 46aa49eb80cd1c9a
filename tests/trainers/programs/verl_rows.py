"""verl's own data set and reward manager over an export: python verl_rows.py TOKENIZER REWARD_FILE FILE..."""

import json
import sys

import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from transformers import AutoTokenizer
from verl import DataProto
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

folder, reward_file, *files = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
options = {"max_prompt_length": 512, "truncation": "error", "filter_overlong_prompts_workers": 1, "cache_dir": folder}
rows = RLHFDataset(files, tokenizer, OmegaConf.create(options))
told = {"reward": {"custom_reward_function": {"path": reward_file, "name": "compute_score"}}}
scores = get_custom_reward_fn(OmegaConf.create(told))
manager = NaiveRewardManager(OmegaConf.create(told), tokenizer, scores)


async def reward(row: dict, answer: str) -> dict:
    response = tokenizer(answer, return_tensors="pt")["input_ids"]
    tensors = {"responses": response, "attention_mask": torch.ones_like(response)}
    batch = collate_fn([row])
    batch.pop("dummy_tensor")
    return await manager.run_single(DataProto(TensorDict(tensors, batch_size=1), batch))


async def main() -> None:
    answers = ["```python\ndef double(x):\n    return 2 * x\n```", "```python\nprint(2 * int(input()))\n```", "no code"]
    found = [[(await reward(row, answer))["reward_score"] for answer in answers] for row in rows]
    sys.stdout.write(json.dumps({"rows": len(rows), "prompt": rows[0]["raw_prompt"], "rewards": found}) + "\n")


manager.loop.run_until_complete(main())
