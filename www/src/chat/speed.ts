/** How fast a model reads prompts and writes answers. */

import type { ChatMessage, Model } from "ia3-web";

/** Tokens written after each prompt at most. */
const NEW_TOKENS = 32;

/** Tokens a second, or null where nothing was read or written. */
export interface Speed {
  prefillTokensPerSecond: number | null;
  decodeTokensPerSecond: number | null;
}

/**
 * Answers each prompt with the adapter and with the base in turn: another adapter reads the whole prompt afresh, where the same one would find
 * a part of it in its cache. Reading ends with the first new token. The first answer is not counted: it compiles programs.
 */
export async function speedOf(model: Model, prompts: ChatMessage[][], adapter: string, signal: AbortSignal): Promise<Speed> {
  const sum = { read: 0, readMs: 0, written: 0, writtenMs: 0 };
  const order = prompts.flatMap((prompt) => [{ prompt, side: adapter }, { prompt, side: null }]);
  for (const [index, { prompt, side }] of order.entries()) {
    signal.throwIfAborted();
    const { promptTokens, newTokens, readMs, writtenMs } = await timed(model, prompt, side, signal);
    if (index === 0 && order.length > 1) continue;
    sum.read += promptTokens;
    sum.readMs += readMs;
    sum.written += newTokens - 1;
    sum.writtenMs += writtenMs;
  }
  return { prefillTokensPerSecond: rate(sum.read, sum.readMs), decodeTokensPerSecond: rate(sum.written, sum.writtenMs) };
}

async function timed(model: Model, prompt: ChatMessage[], adapter: string | null, signal: AbortSignal) {
  const begin = performance.now();
  const times: number[] = [];
  const generation = model.generate(prompt, { adapter, maxNewTokens: NEW_TOKENS, signal });
  for await (const _token of generation) times.push(performance.now());
  const { promptTokens } = await generation;
  const [first = begin, last = begin] = [times[0], times.at(-1)];
  return { promptTokens, newTokens: times.length, readMs: first - begin, writtenMs: last - first };
}

function rate(tokens: number, ms: number): number | null {
  return tokens > 0 && ms > 0 ? (1000 * tokens) / ms : null;
}
