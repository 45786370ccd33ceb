// The types of training: its options, events and result.

import type { AnyExample, Evaluation, Metrics } from "./types.js";

/** What training minimises: see the README for when each is better. */
export type Objective = "cross-entropy" | "contrastive" | "t-few";

/** How the learning rate runs after the warm-up: down to 0 along a line or half a cosine, or not at all. */
export type Schedule = "linear" | "cosine" | "constant";

/** Options of `model.train`; the defaults are chosen by the number of classes and examples (README). */
export interface TrainOptions {
  /** Optimiser steps. Takes precedence over `epochs`. */
  steps?: number;
  /** Passes over the examples. */
  epochs?: number;
  /** Examples per pass, each with all of its choices; with `packing` rows. */
  batchSize?: number;
  /** Peak learning rate of the IA3 vectors. */
  learningRate?: number;
  /** Peak learning rate of the head. */
  headLearningRate?: number;
  /**
   * What `learningRate` is multiplied with for the vectors of each transformer layer, 0 to 1000: one number a layer, or some by the number of the
   * layer, counted from 0 (both stacks of an encoder-decoder model); the others' is 1. 0 leaves a layer as it is. Like torch's parameter groups:
   * clipping still sees all gradients. The head has `headLearningRate`.
   */
  layerLearningRates?: readonly number[] | Readonly<Record<number, number>>;
  /**
   * `tFew`: T-Few's recipe where no other option says otherwise: its losses, Adafactor, 1000 steps of 8 examples at 3e-3 after 60 of warm-up,
   * then straight down; gradients clipped to 1, texts of up to 256 tokens.
   */
  preset?: "tFew";
  /** Default: chosen by the number of classes and examples; `t-few` for examples with choices. */
  objective?: Objective;
  /** With `objective: "contrastive"`: pairs against 1 or 0, or the supervised-contrastive form. Default `supervised`. */
  contrastiveLoss?: "cosine" | "supervised";
  /** Temperature of the supervised-contrastive loss. Default 0.1. */
  temperature?: number;
  /** With `objective: "t-few"`: how much each of the losses counts. Default 1 each. */
  lossWeights?: { languageModel?: number; unlikelihood?: number; lengthNormalized?: number };
  /**
   * With `objective: "t-few"`: `paper` (default), the paper's formulas, means over examples; or `code`, those of r-three/t-few, where language
   * model and unlikelihood loss are means over the tokens of a batch and 0.01 is added to 1 - p.
   */
  lossVariant?: "paper" | "code";
  /** Default `adamw`. `adafactor` is what T-Few trains with: the learning rate is a share of each vector's size, and no step exceeds it. */
  optimizer?: "adamw" | "adafactor";
  /** Decoupled weight decay. */
  weightDecay?: number;
  /** Share of the steps over which the learning rate rises from 0, 0 to 1. */
  warmupRatio?: number;
  schedule?: Schedule;
  /** Passes whose gradients are added up for one step. Default 1. */
  gradientAccumulation?: number;
  /**
   * `true`: what each block of the model computes is computed again for its backward pass, instead of being kept: a pass takes up to half as
   * long again, in a fraction of the working memory (README). The result is the same. Default `false`.
   */
  activationCheckpointing?: boolean;
  /** Gradients are scaled down to this global norm; 0 turns clipping off. Default 1. */
  maxGradNorm?: number;
  /** Tokens per text at most: with choices, of the input and its longest choice. Default 128, with `preset: "tFew"` 256; never more than the model takes. */
  maxLength?: number;
  /**
   * For `text-generation` without choices: examples are packed into rows of `maxLength` tokens, the longest first, each into the first row with
   * room. None sees another and the loss is that of the same examples apart; short ones cost less padding. What counts examples, such as
   * `batchSize` and `epochs`, then counts rows. Default `false`.
   */
  packing?: boolean;
  /** Seed of the order of examples. Default 0. */
  seed?: number;
  /** Held-out examples: the best step on them is kept, and the result has metrics before and after. */
  validation?: readonly AnyExample[];
  /** Evaluations without a better one before training ends with reason `patience`. Needs `validation`. */
  patience?: number;
  /** Steps between evaluations. Needs `validation`. */
  evalEvery?: number;
  /**
   * Ends training: the vectors so far are kept in the adapter, and the run rejects with `signal.reason`. `run.stop()` ends it without
   * an error.
   */
  signal?: AbortSignal;
}

/** One optimiser step was taken. */
export interface StepEvent {
  type: "step";
  /** 1 for the first. */
  step: number;
  totalSteps: number;
  /** Mean loss of the step's examples, before the step. */
  loss: number;
  learningRate: number;
  /** Global norm of the gradients before clipping. */
  gradNorm: number;
  /** Milliseconds this step took. */
  ms: number;
  /** Milliseconds left, estimated. */
  etaMs: number;
}

/** The validation examples were evaluated. */
export interface EvalEvent extends Metrics {
  type: "eval";
  step: number;
}

/** The graphics device was lost; training goes on from `step` on a fresh one. */
export interface DeviceLostEvent {
  type: "device-lost";
  /** The last completed step; nothing up to it is lost. */
  step: number;
}

/** Training ended by itself: always the last event then. */
export interface EndEvent {
  type: "end";
  reason: "completed" | "patience" | "diverged";
}

/** What iterating over a training run yields. */
export type TrainEvent = StepEvent | EvalEvent | DeviceLostEvent | EndEvent;

/** What a training run resolves to. */
export interface TrainResult {
  /** Loss of every step. */
  losses: number[];
  /** Steps taken. */
  steps: number;
  /** The step whose vectors the adapter now has: the best on `validation`, or the last one. */
  bestStep: number;
  /** What `evaluate` says of `validation` before training and of `bestStep`; absent without it. */
  before?: Evaluation;
  after?: Evaluation;
  /** Milliseconds in all. */
  ms: number;
  /**
   * Why training ended; `aborted` after `run.stop()`. A run that diverged (a loss that is no number) or failed rejects instead, and the
   * error's `details.result` is this object.
   */
  reason: "completed" | "patience" | "aborted" | "diverged" | "failed";
  /** The objective used, also where it was chosen. */
  objective: Objective;
}
