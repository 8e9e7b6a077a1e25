"""The training loop of networks of PyTorch, by Lightning: checkpoints, resuming, history, several devices."""

from __future__ import annotations

import logging
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.files import whole
from e2e.learning import batches
from e2e.learning.augmentation import random_reflections
from e2e.learning.loop import (
    CLIP,
    Report,
    Settings,
    Stopwatch,
    epoch_seed,
    one_cycle,
    progress_bar,
    require_finite,
)
from e2e.learning.objectives import Objective, objective
from e2e.models import saved
from e2e.tasks import Task

PACKAGES = ("torch", "lightning")  # whose versions a model tells
FINGERPRINT = "e2e_fingerprint"  # key in a checkpoint


def fit(
    network: nn.Module,
    training: batches.Objects,
    validation: batches.Objects,
    task: Task,
    settings: Settings,
    *,
    history: str | Path,
    checkpoints: str | Path,
    fingerprint: str,
    stopwatch: Stopwatch,
    report: Report | None,
    accelerator: str,
) -> tuple[int, float] | None:
    """Give a network of PyTorch the weights of lowest validation loss; returns their epoch and that loss.

    Epochs count from 1. Of several processes all but the first have other weights, and return None.
    """
    network.to(memory_format=torch.channels_last)  # a quarter faster on CPUs, and for tensor cores
    goal = objective(task, training.stream.target)
    goal.prepare(network)
    loop = Training(network, goal, task, settings, fingerprint)
    saving = partial(ModelCheckpoint, checkpoints, save_on_train_epoch_end=True, enable_version_counter=False)
    best = saving(filename="best", monitor="validation_loss")
    last = saving(filename="last")  # after best, whose state it keeps
    callbacks = [History(history, stopwatch), best, last, *([Reporting(report)] if report else [])]
    trainer = _trainer(settings, accelerator, callbacks, checkpoints)
    parts = Parts(training, validation, settings.batch_size, settings.seed)
    resumed = _resumable(Path(checkpoints) / "last.ckpt", fingerprint)
    trainer.fit(loop, parts, ckpt_path=resumed, weights_only=True)
    if not trainer.is_global_zero:
        return None
    chosen = saved.read_plain(best.best_model_path)
    loop.load_state_dict(chosen["state_dict"])
    return chosen["epoch"] + 1, float(best.best_model_score)


def _trainer(
    settings: Settings, accelerator: str, callbacks: list[Callback], folder: str | Path
) -> lightning.Trainer:
    """A trainer that prints a progress bar and nothing else, and writes checkpoints and nothing else."""
    # Loaders read in a thread and need no workers; the other remarks speak to those who write training loops.
    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    cuda = torch.cuda.is_available() and accelerator in ("auto", "cuda", "gpu")
    if settings.devices > 1 and cuda and torch.cuda.device_count() < settings.devices:
        raise E2EError(
            f"trainer.devices = {settings.devices}, but this machine has {torch.cuda.device_count()} GPUs;"
            " ask for as many as there are"
        )
    return lightning.Trainer(
        accelerator="cuda" if cuda else "cpu",
        devices=settings.devices,
        strategy="ddp" if settings.devices > 1 else "auto",
        precision="bf16-mixed" if cuda and torch.cuda.is_bf16_supported() else "32-true",
        deterministic=cuda,  # CPU kernels are so for a fixed number of threads
        max_epochs=settings.epochs,
        gradient_clip_val=CLIP,
        callbacks=[
            Stopping("validation_loss", patience=settings.patience, check_on_train_epoch_end=True),
            Progress(),
            *callbacks,
        ],
        default_root_dir=folder,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _resumable(checkpoint: Path, fingerprint: str) -> Path | None:
    """``checkpoint`` if it exists and belongs to this training; says what it found."""
    if not checkpoint.exists():
        return None
    try:
        content = saved.read_plain(checkpoint)
    except ValueError:
        print(f"{checkpoint}: cannot be read; training starts afresh", file=sys.stderr)
        return None
    if content.get(FINGERPRINT) != fingerprint:
        print(f"{checkpoint}: of other settings, data or code; training starts afresh", file=sys.stderr)
        return None
    print(f"{checkpoint}: training goes on after epoch {content['epoch'] + 1}", file=sys.stderr)
    return checkpoint


class Parts(lightning.LightningDataModule):
    """Training and validation part; a batch is frames [N, C, H, W], targets and weights [N] on the device.

    ``batch_size`` is that of all devices together.
    """

    def __init__(self, training: batches.Objects, validation: batches.Objects, batch_size: int, seed: int):
        super().__init__()
        self.training, self.validation = training, validation
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> batches.Loader:
        return self._loader(self.training, shuffle=True)

    def val_dataloader(self) -> batches.Loader:
        return self._loader(self.validation, shuffle=False)

    def on_after_batch_transfer(
        self, batch: tuple[batches.Hits, Tensor, Tensor], dataloader_idx: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        hits, target, weight = batch
        return batches.frames(hits, len(target), self.training.stream.shape), target, weight

    def _loader(self, objects: batches.Objects, shuffle: bool) -> batches.Loader:
        device, devices = self.trainer.global_rank, self.trainer.world_size
        order = batches.Batches(objects.stream, self.batch_size, shuffle, self.seed, device, devices)
        return batches.Loader(objects, order)


class Training(lightning.LightningModule):
    """An objective, reflections about the seed, AdamW, one cycle of the learning rate."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        task: Task,
        settings: Settings,
        fingerprint: str,
    ):
        super().__init__()
        self.network = network
        self.objective = objective
        self.task = task
        self.settings = settings
        self.fingerprint = fingerprint
        self.watched = f"validation_{objective.watched}"

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[FINGERPRINT] = self.fingerprint

    def on_train_epoch_start(self) -> None:
        # Random numbers depend on seed, epoch and device alone, so a resumed run draws the same ones.
        seed = epoch_seed(self.settings.seed, self.current_epoch)
        torch.manual_seed(seed * self.trainer.world_size + self.global_rank)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        frames, target, weight = batch
        loss = self._loss(self.network(random_reflections(frames, self.task)), target, weight)
        self.log("training_loss", loss, on_step=False, on_epoch=True, batch_size=len(target), sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> None:
        frames, target, weight = batch
        answer = self.network(frames)
        loss = self._loss(answer, target, weight)
        self.objective.watch(answer, target)
        self.log("validation_loss", loss, batch_size=len(target), sync_dist=True)
        self.log(self.watched, self.objective.metric)

    def _loss(self, answer: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        loss = self.objective.loss(answer, target, weight)
        require_finite(loss.item(), self.current_epoch, self.settings)
        return loss

    def configure_optimizers(self) -> dict[str, Any]:
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]  # biases, normalisation: no decay
        optimizer = torch.optim.AdamW(
            [
                {"params": weights, "weight_decay": self.settings.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            fused=self.trainer.precision == "32-true",  # else Lightning refuses to clip its gradients
        )
        schedule = one_cycle(optimizer, self.settings, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Progress(Callback):
    """One bar an epoch."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Training) -> None:
        self.bar = progress_bar(
            trainer.current_epoch, module.settings, trainer.num_training_batches, trainer.is_global_zero
        )

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Training, *_: Any) -> None:
        self.bar.update(module.settings.batch_size)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Training) -> None:
        names = ("validation_loss", module.watched)
        self.bar.set_postfix({name: f"{trainer.callback_metrics[name].item():.4f}" for name in names})
        self.bar.close()


class Stopping(EarlyStopping):
    """Early stopping that also holds for a training resumed after its last epoch."""

    def on_train_start(self, trainer: lightning.Trainer, module: Training) -> None:
        trainer.should_stop = self.wait_count >= self.patience


class History(Callback):
    """Writes a CSV row an epoch: epoch, learning_rate, losses of both parts, and what is watched.

    Checkpoints keep the rows, and the seconds of the stopwatch.
    """

    def __init__(self, path: str | Path, stopwatch: Stopwatch):
        self.path, self.stopwatch = path, stopwatch
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Training) -> None:
        names = ("training_loss", "validation_loss", module.watched)
        row = {
            "epoch": trainer.current_epoch + 1,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
        }
        self.rows.append(row | {name: trainer.callback_metrics[name].item() for name in names})
        if trainer.is_global_zero:
            with whole(self.path) as scratch:
                pd.DataFrame(self.rows).to_csv(scratch, index=False)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": self.stopwatch()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]
        self.stopwatch.earlier = state["seconds"]


class Reporting(Callback):
    """Calls ``report`` after each epoch."""

    def __init__(self, report: Report):
        self.report = report

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Training) -> None:
        self.report(trainer.current_epoch + 1, trainer.callback_metrics["validation_loss"].item())
