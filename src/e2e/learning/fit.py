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
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from e2e.errors import E2EError
from e2e.files import whole
from e2e.learning import batches
from e2e.learning.loop import Job, Report, Settings, Stopwatch, epoch_seed, progress_bar, require_finite
from e2e.learning.methods import Method
from e2e.models import saved

PACKAGES = ("torch", "lightning")  # whose versions a model tells
FINGERPRINT = "e2e_fingerprint"  # key in a checkpoint


def fit(
    method: Method, training: batches.Objects, validation: batches.Objects, job: Job
) -> tuple[int, float] | None:
    """Give a method's modules the weights that it keeps; returns their epoch and its validation loss.

    Epochs count from 1. Of several processes all but the first have other weights, and return None.
    """
    # A quarter faster on CPUs, and for tensor cores; PyTorch's types do not know this form of `to`.
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loop = Training(method, job.settings, job.fingerprint)
    saving = partial(
        ModelCheckpoint, job.checkpoints, save_on_train_epoch_end=True, enable_version_counter=False
    )
    best = saving(filename="best", monitor="validation_loss")
    last = saving(filename="last")  # after best, whose state it keeps
    history = History(job.history, job.stopwatch)
    callbacks = [history, best, last, *([Reporting(job.report)] if job.report else [])]
    trainer = _trainer(job, callbacks, method.clip)
    resumed = _resumable(job.checkpoints / "last.ckpt", job.fingerprint)
    parts = Parts(training, validation, job.settings)
    trainer.fit(loop, parts, ckpt_path=resumed, weights_only=True)
    if not trainer.is_global_zero:
        return None
    kept = saved.read_plain((last if method.keeps_last else best).best_model_path)
    loop.load_state_dict(kept["state_dict"])
    return kept["epoch"] + 1, history.rows[kept["epoch"]]["validation_loss"]


def _trainer(job: Job, callbacks: list[Callback], clip: float | None) -> lightning.Trainer:
    """A trainer that prints a progress bar and nothing else, and writes checkpoints and nothing else."""
    settings = job.settings
    # Loaders read in a thread and need no workers; the other remarks speak to those who write training loops.
    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    cuda = torch.cuda.is_available() and job.accelerator in ("auto", "cuda", "gpu")
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
        gradient_clip_val=clip,
        callbacks=[Progress(), *callbacks],
        default_root_dir=job.checkpoints,
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
    """Training and validation part, in ``batches.Batch`` on the device.

    The batch size of the settings is that of all devices together.
    """

    def __init__(self, training: batches.Objects, validation: batches.Objects, settings: Settings):
        super().__init__()
        self.training, self.validation, self.settings = training, validation, settings

    def train_dataloader(self) -> batches.Loader:
        return self._loader(self.training, shuffle=True)

    def val_dataloader(self) -> batches.Loader:
        return self._loader(self.validation, shuffle=False)

    def on_after_batch_transfer(self, batch: batches.Packed, dataloader_idx: int) -> batches.Batch:
        return batch.unpacked(self.training.stream.shape)

    def _loader(self, objects: batches.Objects, shuffle: bool) -> batches.Loader:
        assert self.trainer  # that of `fit`
        device, devices = self.trainer.global_rank, self.trainer.world_size
        settings = self.settings
        order = batches.Batches(objects.stream, settings.batch_size, shuffle, settings.seed, device, devices)
        return batches.Loader(objects, order)


class Training(lightning.LightningModule):
    """Steps of a method."""

    def __init__(self, method: Method, settings: Settings, fingerprint: str):
        super().__init__()
        self.method = method
        self.settings = settings
        self.fingerprint = fingerprint
        self.shown = ("validation_loss", *(f"validation_{name}" for name in method.watched))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[FINGERPRINT] = self.fingerprint

    def on_train_epoch_start(self) -> None:
        # Random numbers depend on seed, epoch and device alone, so a resumed run draws the same ones.
        seed = epoch_seed(self.settings.seed, self.current_epoch)
        torch.manual_seed(seed * self.trainer.world_size + self.global_rank)

    def training_step(self, batch: batches.Batch) -> Tensor:
        self.method.progress = self.global_step / self.steps
        loss = self._finite(self.method.training_loss(batch))
        objects = len(batch.frames)
        self.log("training_loss", loss, on_step=False, on_epoch=True, batch_size=objects, sync_dist=True)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.method.progress = self.global_step / self.steps
        self.method.after_step()

    def validation_step(self, batch: batches.Batch) -> None:
        loss = self._finite(self.method.validation_loss(batch))
        self.log("validation_loss", loss, batch_size=len(batch.frames), sync_dist=True)
        for name, metric in self.method.watched.items():
            self.log(f"validation_{name}", metric)

    def _finite(self, loss: Tensor) -> Tensor:
        require_finite(loss.item(), self.current_epoch, self.settings)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        self.steps = int(self.trainer.estimated_stepping_batches)
        # In mixed precision Lightning refuses to clip the gradients of a fused one.
        fused = self.trainer.precision == "32-true"
        optimizer, schedule = self.method.optimiser(self.settings, self.steps, fused)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Progress(Callback):
    """One bar an epoch."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        self.bar = progress_bar(
            trainer.current_epoch, module.settings, int(trainer.num_training_batches), trainer.is_global_zero
        )

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.bar.update(module.settings.batch_size)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        values = {name: trainer.callback_metrics[name].item() for name in module.shown}
        self.bar.set_postfix({name: f"{value:.4f}" for name, value in values.items()})
        self.bar.close()


class History(Callback):
    """Writes a CSV row an epoch: epoch, learning_rate, losses of both parts, and what is watched.

    Checkpoints keep the rows, and the seconds of the stopwatch.
    """

    def __init__(self, path: str | Path, stopwatch: Stopwatch):
        self.path, self.stopwatch = path, stopwatch
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        row = {
            "epoch": trainer.current_epoch + 1,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
        }
        names = ("training_loss", *module.shown)
        self.rows.append(row | {name: trainer.callback_metrics[name].item() for name in names})
        if trainer.is_global_zero:
            with whole(self.path) as scratch:
                pd.DataFrame(self.rows).to_csv(scratch, index=False)
        module.method.after_epoch(self.rows[-1])

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": self.stopwatch()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]
        self.stopwatch.earlier = state["seconds"]


class Reporting(Callback):
    """Calls ``report`` after each epoch."""

    def __init__(self, report: Report):
        self.report = report

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        self.report(trainer.current_epoch + 1, trainer.callback_metrics["validation_loss"].item())
