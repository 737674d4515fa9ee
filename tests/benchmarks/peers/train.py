"""Train steps of a network of ours in PyTorch, from the files of a model: python train.py FOLDER CLASSES SIDE BATCH THREADS SECONDS

Prints pictures a second as JSON. The pictures are random numbers that lie in memory, so that nothing but the step is timed: forward,
cross-entropy, backward, AdamW, as PyTorch does them without compiling (eager).
"""

import importlib.util
import json
import pathlib
import sys
import time

import torch

WARM_UP = 2


def main(folder, classes, side, batch, threads, seconds):
    torch.set_num_threads(threads)
    spec = importlib.util.spec_from_file_location("model", pathlib.Path(folder) / "model.py")
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    network = model.load(folder).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.05)
    torch.manual_seed(1)
    pictures = torch.randn(batch, 1, side, side)
    labels = torch.randint(0, classes, (batch,))
    steps, begun, worked = -WARM_UP, time.perf_counter(), time.process_time()
    while True:
        optimiser.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(network(pictures)["body_part"], labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        steps += 1
        if steps == 0:
            begun, worked = time.perf_counter(), time.process_time()
        elif steps > 0 and time.perf_counter() - begun >= seconds:
            break
    if not torch.isfinite(loss):
        sys.exit("the loss is not finite")
    taken, worked = time.perf_counter() - begun, time.process_time() - worked
    rates = {"pictures_per_second": steps * batch / taken, "pictures_per_processor_second": steps * batch / worked}
    print(json.dumps(rates))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:6]), float(sys.argv[6]))
