"""What a training that may be cut into slices keeps: its time, its rate, the average of its weights, its checkpoint."""
import json
import math
import os
import time

import torch


def arguments(parser, minutes, work, rate):
    parser.add_argument("--minutes", type=float, default=minutes, help="training time in all slices together")
    parser.add_argument("--begun", type=float, default=0.0, help="minutes of training behind the weights of --init, where there is no checkpoint")
    parser.add_argument("--until", type=float, help="end this slice at that many minutes of training")
    parser.add_argument("--work", default=work)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--seed", type=int, default=1)


class Course:
    """Time counts from `start`, whatever it is spent on; the rate falls with it along a cosine. The average of the weights
    reaches back `1 / (1 - keep)` steps. Made before the GPU is touched, so that processes may still be forked."""

    def __init__(self, args, keep, warm, also=None):
        """`also` gets the average whenever the checkpoint is written."""
        self.path, self.keep, self.warm, self.also = f"{args.work}/checkpoint.pt", keep, warm, also
        os.makedirs(args.work, exist_ok=True)
        self.saved = torch.load(self.path, map_location="cpu") if os.path.exists(self.path) else None
        self.step, self.seconds = (self.saved["step"], self.saved["seconds"]) if self.saved else (0, args.begun * 60)
        self.top, self.total, self.end = args.rate, args.minutes * 60, (args.until or args.minutes) * 60
        self.shown = []

    def start(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        if self.saved:
            model.load_state_dict(self.saved["model"])
            optimizer.load_state_dict(self.saved["optimizer"])
        self.average = [p.detach().clone() for p in model.parameters()]
        for mine, theirs in zip(self.average, self.saved["average"] if self.saved else []):
            mine.copy_(theirs)
        self.saved = None
        self.begun, self.report, self.written = time.time() - self.seconds, time.time(), time.time()

    def running(self):
        """Whether there is time for a step; sets its rate."""
        self.seconds = time.time() - self.begun
        share = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.seconds / self.total)))
        self.optimizer.rate = self.top * min(1.0, (self.step + 1) / self.warm) * share
        return self.seconds < self.end

    @torch.no_grad()
    def stepped(self, losses):
        """After a step with `losses` [k]: averages, and returns their mean since the last time every 15 s, else None."""
        self.step += 1
        self.shown.append(losses)
        torch._foreach_lerp_(self.average, list(self.model.parameters()), 1 - min(self.keep, self.step / (self.step + 20)))
        if time.time() - self.written > 60:
            self.save()
        if time.time() - self.report < 15:
            return None
        mean, speed = torch.stack(self.shown).mean(0).tolist(), len(self.shown) / (time.time() - self.report)
        self.report, self.shown = time.time(), []
        return {"step": self.step, "seconds": round(self.seconds, 1), "steps a second": round(speed, 1), "rate": round(self.optimizer.rate, 6)}, mean

    def save(self):
        """Replaces the checkpoint at once, so that a stop at any time leaves a whole one."""
        content = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "average": self.average,
                   "step": self.step, "seconds": time.time() - self.begun}
        torch.save(content, self.path + ".new")
        os.replace(self.path + ".new", self.path)
        if self.also:
            self.also(self.average)
        self.written = time.time()

    def finish(self):
        """The last checkpoint; then the model takes its average."""
        self.save()
        for p, v in zip(self.model.parameters(), self.average):
            p.data.copy_(v)


def show(row, **more):
    print(json.dumps({**row, **more}), flush=True)
