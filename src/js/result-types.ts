// The types of answers: what classify, tag, answer, score, choose, embed and evaluate give.

/** The answer for one text. */
export interface Classification {
  /** The most probable label. */
  label: string;
  /** Its probability, 0 to 1. */
  score: number;
  /** Probability of every label; they add up to 1. */
  scores: Record<string, number>;
  /** Whether the text was longer than `maxLength` and was cut. */
  truncated: boolean;
}

/** The labels of one text's words. */
export interface Tagging {
  /** One for each word, as far as the text was not cut. */
  labels: string[];
  /** Probability of each label, 0 to 1. */
  scores: number[];
  /** Whether the text was longer than `maxLength` and was cut. */
  truncated: boolean;
}

/** How probable a continuation is. */
export interface Scored {
  /** Log-probability of each of its tokens, in nats. */
  tokenLogProbs: number[];
  /** Their sum. */
  logProb: number;
  /** Whether each token is the most probable one, so that greedy decoding from the prompt writes the continuation. */
  isGreedy: boolean;
  /** Whether the prompt lost tokens from its start to keep to `maxLength`. */
  truncated: boolean;
}

/** The most probable of some choices. */
export interface Choice {
  /** The choice, or with a template its label. */
  choice: string;
  /** Log-probability of each choice in nats, the token that ends it included, over the power of its length. */
  scores: Record<string, number>;
  /** Whether the input lost tokens to keep to `maxLength`. */
  truncated: boolean;
}

/** The answer to one question: a part of its context. */
export interface Answer {
  answer: string;
  /** Where it starts and ends in the context, as `slice` counts. */
  start: number;
  end: number;
  /** Probability of its first token times that of its last. */
  score: number;
  /** Whether question and context were longer than `maxLength` and were cut. */
  truncated: boolean;
}

/** One vector per text, in order. */
export type Embeddings = Float32Array[] & {
  /** Per text: whether it was longer than `maxLength` and was cut. */
  readonly truncated: readonly boolean[];
};

/** How well a model does on labelled examples. */
export interface Metrics {
  /**
   * Share of right answers, 0 to 1; of words for `token-classification`, of exact spans for `question-answering`; of texts that
   * greedy decoding writes exactly for `text-generation` and `text2text-generation`; where choices are ranked, how often the answer comes first.
   */
  accuracy: number;
  /** Mean over labels of the F1 score, 0 to 1; for `question-answering` mean over answers of the F1 score of their tokens; for language models 0. */
  macroF1: number;
  /** Mean cross-entropy in nats. */
  loss: number;
}

/** What `evaluate` returns. */
export interface Evaluation extends Metrics {
  /** `confusion[actual][predicted]`: counts, in the order of the model's labels; empty for `question-answering`. */
  confusion: number[][];
}
