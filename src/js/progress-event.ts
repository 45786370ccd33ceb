// What loading tells while it runs: the event shapes of transformers.js, and a few of our own.

import type { Device, Task } from "./types.js";

/** A file is about to be looked for, in the cache and then on the network. */
export interface InitiateEvent {
  status: "initiate";
  /** Hub id, URL or `files`. */
  name: string;
  /** File name. */
  file: string;
}

/** A file was found and its bytes begin to come. */
export interface DownloadEvent {
  status: "download";
  name: string;
  file: string;
  /** Whether the bytes come from the browser's cache. */
  cached: boolean;
}

/** Bytes of one file came in. */
export interface FileProgressEvent {
  status: "progress";
  name: string;
  file: string;
  /** 0 to 100; 0 while `total` is unknown. */
  progress: number;
  /** Bytes so far. */
  loaded: number;
  /** Bytes in all; 0 when the server does not say. */
  total: number;
}

/** Bytes of any file came in: the sum over all files whose size is known. */
export interface TotalProgressEvent {
  status: "progress_total";
  name: string;
  /** 0 to 100. */
  progress: number;
  loaded: number;
  total: number;
  /** The same per file. */
  files: Record<string, { loaded: number; total: number }>;
}

/** A file is complete and checked. */
export interface DoneEvent {
  status: "done";
  name: string;
  file: string;
}

/** A file could not be kept in the cache (quota, private window); loading continues without. */
export interface CacheSkippedEvent {
  status: "cache-skipped";
  name: string;
  file: string;
  /** What the browser said. */
  reason: string;
}

/** The files are in; the device compiled another of its pipelines. */
export interface WarmUpEvent {
  status: "warm-up";
  name: string;
  device: Device;
  /** 0 to 100. */
  progress: number;
  /** Pipelines so far. */
  loaded: number;
  /** Pipelines in all. */
  total: number;
}

/** The model can be used. */
export interface ReadyEvent {
  status: "ready";
  task: Task;
  model: string;
}

/** What `onProgress` receives: transformers.js' shapes, and `cache-skipped` and `warm-up` of our own. */
export type ProgressEvent =
  | InitiateEvent
  | DownloadEvent
  | FileProgressEvent
  | TotalProgressEvent
  | DoneEvent
  | CacheSkippedEvent
  | WarmUpEvent
  | ReadyEvent;
